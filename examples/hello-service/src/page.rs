//! What each path answers.

use crate::{BadRequest, Request, VERSION};

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code and reason.
    pub status: &'static str,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Response {
    fn text(status: &'static str, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: format!("{body}\n") }
    }

    fn html(body: String) -> Self {
        Self { status: "200 OK", content_type: "text/html; charset=utf-8", body }
    }

    /// The answer on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let Self { status, content_type, body } = self;
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .into_bytes()
    }
}

/// Answers a request.
pub fn respond(request: Result<Request, BadRequest>) -> Response {
    let request = match request {
        Ok(request) => request,
        Err(BadRequest::TooLong) => {
            return Response::text("431 Request Header Fields Too Large", "the request is too long");
        }
        Err(BadRequest::Malformed) => {
            return Response::text("400 Bad Request", "this is not an HTTP/1.1 request");
        }
    };
    if request.method != "GET" {
        return Response::text("405 Method Not Allowed", "only GET is served");
    }
    match request.path.as_str() {
        "/" => greeting("world"),
        "/healthz" => Response::text("200 OK", "ok"),
        "/version" => Response::text("200 OK", VERSION),
        path => match path.strip_prefix("/hello/") {
            Some(name) if !name.is_empty() => greeting(name),
            _ => Response::text("404 Not Found", "there is nothing here"),
        },
    }
}

fn greeting(name: &str) -> Response {
    let name = escape(name);
    Response::html(format!(
        "<!doctype html>\n<title>hello</title>\n<h1>Hello, {name}!</h1>\n<p>hello-service version {VERSION}</p>\n"
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Response {
        respond(Ok(Request { method: "GET".to_owned(), path: path.to_owned() }))
    }

    #[test]
    fn the_page_greets_and_says_its_version() {
        let page = get("/");
        assert_eq!(page.status, "200 OK");
        assert!(page.body.contains("Hello, world!") && page.body.contains(&format!("version {VERSION}")));
    }

    #[test]
    fn a_name_is_greeted_and_cannot_bring_markup() {
        assert!(get("/hello/Ada").body.contains("Hello, Ada!"));
        assert!(get("/hello/<script>").body.contains("Hello, &lt;script&gt;!"));
    }

    #[test]
    fn other_requests_have_their_own_answers() {
        assert_eq!(get("/healthz").body, "ok\n");
        assert_eq!(get("/version").body, format!("{VERSION}\n"));
        assert_eq!(get("/nowhere").status, "404 Not Found");
        assert_eq!(
            respond(Ok(Request { method: "PUT".to_owned(), path: "/".to_owned() })).status,
            "405 Method Not Allowed"
        );
        assert_eq!(respond(Err(BadRequest::Malformed)).status, "400 Bad Request");
    }

    #[test]
    fn an_answer_tells_its_length() {
        let wire = String::from_utf8(get("/healthz").encode()).unwrap();
        assert!(
            wire.starts_with("HTTP/1.1 200 OK\r\n")
                && wire.contains("Content-Length: 3\r\n")
                && wire.ends_with("\r\n\r\nok\n")
        );
    }
}
