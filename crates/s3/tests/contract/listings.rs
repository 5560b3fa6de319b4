use crate::house::{BUCKET, House};
use aws::s3::{DeleteObject, ListObjects, S3, Versioning};

async fn list(house: &House, prefix: &str, delimiter: &str, limit: usize) -> (Vec<String>, Vec<String>, usize) {
    let mut input = ListObjects {
        bucket: BUCKET.to_owned(),
        prefix: prefix.to_owned(),
        delimiter: delimiter.to_owned(),
        limit: Some(limit),
        from: None,
    };
    let (mut keys, mut prefixes, mut pages) = (Vec::new(), Vec::new(), 0);
    loop {
        let page = house.s3.list_objects(&house.caller, input.clone()).await.unwrap();
        assert!(page.objects.len() + page.common_prefixes.len() <= limit);
        keys.extend(page.objects.into_iter().map(|object| object.key));
        prefixes.extend(page.common_prefixes);
        pages += 1;
        input.from = page.next;
        if input.from.is_none() {
            return (keys, prefixes, pages);
        }
    }
}

#[tokio::test]
async fn keys_come_in_byte_order_whatever_the_page() {
    let house = House::open().await;
    let mut keys = ["a", "a b", "a/1", "a/2", "a/b/c", "b", "ä/1", "Z", "~"].map(str::to_owned);
    for key in &keys {
        house.put(key, "x").await;
    }
    keys.sort();
    for limit in [1, 2, 3, 1000] {
        let (listed, prefixes, pages) = list(&house, "", "", limit).await;
        assert_eq!(listed, keys);
        assert!(prefixes.is_empty());
        assert_eq!(pages, keys.len().div_ceil(limit));
    }
}

#[tokio::test]
async fn folders_are_rolled_up() {
    let house = House::open().await;
    for key in ["a/1", "a/2", "a/b/1", "a/b/2", "c", "d/1"] {
        house.put(key, "x").await;
    }
    for limit in [1, 2, 1000] {
        assert_eq!(list(&house, "", "/", limit).await.0, ["c"]);
        assert_eq!(list(&house, "", "/", limit).await.1, ["a/", "d/"]);
        assert_eq!(list(&house, "a/", "/", limit).await.0, ["a/1", "a/2"]);
        assert_eq!(list(&house, "a/", "/", limit).await.1, ["a/b/"]);
        assert_eq!(list(&house, "a/b", "", limit).await.0, ["a/b/1", "a/b/2"]);
        assert_eq!(list(&house, "x", "/", limit).await.0.len(), 0);
    }
}

#[tokio::test]
async fn hidden_objects_are_not_listed() {
    let house = House::open().await;
    house.set(Versioning::Enabled).await;
    for key in ["a", "b", "c"] {
        house.put(key, "x").await;
    }
    let delete = DeleteObject { bucket: BUCKET.to_owned(), key: "b".to_owned(), ..DeleteObject::default() };
    house.s3.delete_object(&house.caller, delete).await.unwrap();
    assert_eq!(list(&house, "", "", 2).await.0, ["a", "c"]);
}

#[tokio::test]
async fn a_page_of_nothing_is_empty() {
    let house = House::open().await;
    house.put("a", "x").await;
    let input = ListObjects { bucket: BUCKET.to_owned(), limit: Some(0), ..ListObjects::default() };
    let page = house.s3.list_objects(&house.caller, input).await.unwrap();
    assert!(page.objects.is_empty() && page.next.is_none());
}
