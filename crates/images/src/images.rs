use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::registry::{Connection, Patience};
use crate::store::{ImageRecord, NameRecord, Store};
use crate::turns::Turns;
use crate::{Image, ImageError, ImageRequest, Limits, Platform, Reference, Registries};

/// The images of one store. Cheap to clone; several processes may have the same store open.
///
/// All but [`pull`](Self::pull) and [`prepare`](Self::prepare) is blocking work with files.
#[derive(Debug, Clone)]
pub struct Images {
    pub(crate) store: Store,
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) connection: Connection,
    pub(crate) turns: Turns,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where registries are reached.
    pub registries: Registries,
    /// How large an image may be.
    pub limits: Limits,
    /// How long registries are waited for.
    pub patience: Patience,
    /// For how long a registry's word on what a tag leads to is good.
    pub fresh: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            registries: Registries::default(),
            limits: Limits::default(),
            patience: Patience::default(),
            fresh: Duration::from_secs(60),
        }
    }
}

impl Images {
    /// Opens the store in `folder`, making it where it is not there.
    ///
    /// # Errors
    /// The folder cannot be made or read, or a file of certificates has none.
    pub fn open(folder: impl Into<PathBuf>, options: Options) -> Result<Self, ImageError> {
        let connection = Connection::new(options.registries.certificates(), options.patience)?;
        let store = Store::open(&folder.into())?;
        Ok(Self { store, shared: Arc::new(Shared { options, connection, turns: Turns::default() }) })
    }

    /// The image that a request's reference leads to in the store; no registry is asked.
    ///
    /// # Errors
    /// [`ImageError::NotHere`], which says what would do.
    pub fn find(&self, request: &ImageRequest) -> Result<Image, ImageError> {
        let reference: Reference = request.reference.parse()?;
        let platform = request.platform.clone().unwrap_or_else(Platform::here);
        match self.known(&reference, &platform)? {
            Some((_, record)) => self.describe(&record),
            None => Err(ImageError::not_here(&reference.familiar())),
        }
    }

    /// The image of this reference, id or beginning of an id (six digits or more).
    ///
    /// # Errors
    /// [`ImageError::NotHere`] and [`ImageError::Ambiguous`].
    pub fn inspect(&self, name: &str) -> Result<Image, ImageError> {
        self.record(name).and_then(|(record, _)| self.describe(&record))
    }

    /// All images, ordered by their first name; those without one last.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self) -> Result<Vec<Image>, ImageError> {
        let names = self.store.names()?;
        let records = self.store.images()?;
        let described = records.iter().map(|record| self.describe_among(record, &names));
        let mut images: Vec<_> = described.filter(is_there).collect::<Result<_, _>>()?;
        images.sort_by(|a, b| {
            let key = |image: &Image| (image.references.is_empty(), image.references.clone(), image.id.clone());
            key(a).cmp(&key(b))
        });
        Ok(images)
    }

    /// Gives an image a further name.
    ///
    /// # Errors
    /// [`ImageError::NotHere`], [`ImageError::Ambiguous`], and a name that is none.
    pub fn tag(&self, image: &str, name: &str) -> Result<Image, ImageError> {
        let reference: Reference = name.parse()?;
        if reference.digest.is_some() {
            let reason = "a digest is what a registry calls it, and cannot be given".to_owned();
            return Err(ImageError::Reference { text: name.to_owned(), reason });
        }
        let (record, _) = self.record(image)?;
        self.name(&record, reference)?;
        self.describe(&record)
    }

    /// Lets a name lead to an image that came from no registry.
    pub(crate) fn name(&self, record: &ImageRecord, reference: Reference) -> Result<(), ImageError> {
        let platform = Platform::here();
        let platform = if platform.fit(&record.platform).is_some() { platform } else { record.platform.clone() };
        self.store.set_name(&NameRecord { reference, platform, id: record.id.clone(), digest: None })
    }

    /// What a reference leads to here.
    pub(crate) fn known(
        &self,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Option<(NameRecord, ImageRecord)>, ImageError> {
        let Some(name) = self.store.name(reference, platform)? else { return Ok(None) };
        // A name whose image was just removed leads nowhere.
        Ok(self.store.image(&name.id)?.map(|record| (name, record)))
    }

    /// The image of a reference, an id or its beginning; and the reference, if it is one.
    pub(crate) fn record(&self, name: &str) -> Result<(ImageRecord, Option<NameRecord>), ImageError> {
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        let is_hex = hex.len() >= 6 && hex.len() <= 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        // A word of such letters may also be a name: then the name counts.
        if let Ok(reference) = name.parse::<Reference>()
            && let Some((name, record)) = self.known_anywhere(&reference)?
        {
            return Ok((record, Some(name)));
        }
        if !is_hex {
            return match name.parse::<Reference>() {
                Ok(reference) => Err(ImageError::not_here(&reference.familiar())),
                Err(error) => Err(error),
            };
        }
        let mut records = self.store.images()?;
        records.retain(|record| record.id.hex().starts_with(hex));
        match (records.pop(), records.is_empty()) {
            (Some(record), true) => Ok((record, None)),
            (Some(_), false) => Err(ImageError::Ambiguous(name.to_owned())),
            (None, _) => Err(ImageError::not_here(name)),
        }
    }

    /// A reference's image for this machine, else for another.
    fn known_anywhere(&self, reference: &Reference) -> Result<Option<(NameRecord, ImageRecord)>, ImageError> {
        if let Some(known) = self.known(reference, &Platform::here())? {
            return Ok(Some(known));
        }
        for name in self.store.names()?.into_iter().filter(|name| name.reference == *reference) {
            if let Some(record) = self.store.image(&name.id)? {
                return Ok(Some((name, record)));
            }
        }
        Ok(None)
    }

    pub(crate) fn describe(&self, record: &ImageRecord) -> Result<Image, ImageError> {
        self.describe_among(record, &self.store.names()?)
    }

    /// Another process may remove the image meanwhile: then it is not here.
    fn describe_among(&self, record: &ImageRecord, names: &[NameRecord]) -> Result<Image, ImageError> {
        let gone = || !self.store.image_file(&record.id).exists();
        self.look_at(record, names).map_err(|error| if gone() { ImageError::not_here(record.id.hex()) } else { error })
    }

    fn look_at(&self, record: &ImageRecord, names: &[NameRecord]) -> Result<Image, ImageError> {
        let path = self.store.image_file(&record.id);
        let metadata = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
        let mine = names.iter().filter(|name| name.id == record.id);
        Ok(Image {
            id: record.id.to_string(),
            references: mine.map(|name| name.reference.familiar()).collect(),
            platform: record.platform.clone(),
            size: record.bytes,
            layers: record.layers.len(),
            created: record.created.clone(),
            pulled: metadata.map_err(ImageError::io("cannot look at", &path))?,
            used: self.store.used(&record.id)?,
            in_use: self.store.holder(&record.id)?.is_some(),
            run: record.run.clone(),
        })
    }
}

/// Whether an image was not removed by somebody else while it was looked at.
pub(crate) fn is_there(described: &Result<Image, ImageError>) -> bool {
    !matches!(described, Err(ImageError::NotHere(_)))
}
