//! Several writes of one service, made together.

use crate::store::{Address, CommitError, Durability, LARGEST_DOCUMENT, Operation, Put, StoreError, add_rows};
use crate::work::Lease;
use crate::{Cursor, Document, Event, Scope, Stored};

/// The longest key, index value or sort key, in bytes: an S3 key of 1,024 and what is put before and behind it.
const LONGEST_KEY: usize = 2_048;

/// The largest event, as JSON, in bytes: EventBridge's own bound.
const LARGEST_EVENT: usize = 256 * 1024;

/// Operations that [`Documents::commit`](crate::Documents::commit) makes all or none. A document that cannot
/// be written makes the commit fail, not the call here.
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    scope: Scope,
    operations: Vec<Operation>,
    refused: Option<StoreError>,
    durability: Durability,
}

impl Batch {
    /// An empty batch whose operations are in `scope`.
    pub fn new(scope: &Scope) -> Self {
        Self { scope: scope.clone(), operations: Vec::new(), refused: None, durability: Durability::Full }
    }

    /// The operations that follow are in `scope`.
    pub fn in_scope(mut self, scope: &Scope) -> Self {
        self.scope = scope.clone();
        self
    }

    /// Writes a new document; fails with [`CommitError::Exists`] if there is one.
    pub fn insert<T: Document>(self, document: &T) -> Self {
        self.put(document, Operation::Insert)
    }

    /// Writes the changed document; fails with [`CommitError::Conflict`] if somebody else wrote since.
    pub fn replace<T: Document>(self, stored: &Stored<T>) -> Self {
        let version = stored.version;
        self.put(&stored.value, move |put| Operation::Replace(put, version))
    }

    /// Removes the document with its index rows, if nobody wrote since.
    pub fn remove<T: Document>(mut self, stored: &Stored<T>) -> Self {
        let address = self.address::<T>(stored.value.key());
        self.operations.push(Operation::Remove(address, stored.version));
        self
    }

    /// Writes nothing, but lets the commit happen only if nobody wrote the document since it was read.
    pub fn require<T: Document>(mut self, stored: &Stored<T>) -> Self {
        let address = self.address::<T>(stored.value.key());
        self.operations.push(Operation::Require(address, stored.version));
        self
    }

    /// Lets the commit happen only while `lease` is held; else [`CommitError::LeaseLost`].
    pub fn fenced(mut self, lease: &Lease) -> Self {
        // Before all writes: one of them may remove the leased document.
        self.operations.insert(0, lease.fence());
        self
    }

    /// Publishes the event with the change that it tells of.
    pub fn publish(mut self, event: &Event) -> Self {
        match serde_json::to_string(event) {
            Ok(body) if body.len() <= LARGEST_EVENT => {
                self.operations.push(Operation::Publish { source: event.source.clone(), body });
            }
            Ok(body) => self.refuse("kernel.event", &event.id, format!("it has {} bytes", body.len())),
            Err(error) => self.refuse("kernel.event", &event.id, error.to_string()),
        }
        self
    }

    /// Moves a consumer's cursor with the effect of what it read.
    pub fn advance(mut self, cursor: &Cursor) -> Self {
        self.operations.push(cursor.operation());
        self
    }

    /// Lets the commit return before it is on disk, where it comes with the next one and never after it. Only for a step
    /// that a machine which lost power may do again, and whose every effect is another commit of this store.
    pub fn lax(self) -> Self {
        Self { durability: Durability::Lax, ..self }
    }

    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.refused.is_none()
    }

    fn put<T: Document>(mut self, document: &T, operation: impl FnOnce(Put) -> Operation) -> Self {
        let address = self.address::<T>(document.key());
        match encode(document, &address) {
            Ok(body) => {
                let mut indexes = document.indexes();
                add_rows(&body, &mut indexes);
                let put = Put { address, due: document.due(), indexes, body };
                self.operations.push(operation(put));
            }
            Err(reason) => self.refuse(T::KIND, &address.key, reason),
        }
        self
    }

    fn address<T: Document>(&self, key: String) -> Address {
        Address { scope: self.scope.clone(), kind: T::KIND, key }
    }

    fn refuse(&mut self, kind: &str, key: &str, reason: String) {
        let key = key.chars().take(100).collect();
        self.refused.get_or_insert(StoreError::Encode { kind: kind.to_owned(), key, reason });
    }

    /// The operations, if each is well-formed and of a kind that `own` lets pass.
    pub(super) fn into_operations(
        self,
        own: impl Fn(&str) -> Result<(), StoreError>,
    ) -> Result<Vec<Operation>, CommitError> {
        if let Some(refused) = self.refused {
            return Err(refused.into());
        }
        for operation in &self.operations {
            match operation {
                Operation::Insert(put) | Operation::Replace(put, _) => own(put.address.kind)?,
                Operation::Remove(address, _) | Operation::Require(address, _) | Operation::Fence { address, .. } => {
                    own(address.kind)?;
                }
                Operation::Publish { .. } | Operation::Advance { .. } => {}
            }
        }
        Ok(self.operations)
    }
}

fn encode<T: Document>(document: &T, address: &Address) -> Result<String, String> {
    let too_long = |text: &str| text.len() > LONGEST_KEY;
    if address.key.is_empty() || too_long(&address.key) {
        return Err(format!("its key has {} bytes, not 1 to {LONGEST_KEY}", address.key.len()));
    }
    if document.indexes().iter().any(|index| too_long(&index.value) || too_long(&index.sort)) {
        return Err(format!("an index row is longer than {LONGEST_KEY} bytes"));
    }
    let body = serde_json::to_string(document).map_err(|error| error.to_string())?;
    if body.len() > LARGEST_DOCUMENT {
        return Err(format!("it has {} bytes, more than {LARGEST_DOCUMENT}", body.len()));
    }
    Ok(body)
}
