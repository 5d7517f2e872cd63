//! Reading from a cluster: linearizable, a page at a time.

use std::sync::Arc;

use etcd_client::{GetOptions, GetResponse, KeyValue};

use super::members::Failure;
use super::{Etcd, at, end_of, number, revision};
use crate::{Digest, Entry, Key, Page, ReadError, Revision};

/// Keys of one answer, when all of them are digested.
const DIGEST_KEYS: usize = 10_000;
/// Octets of the largest answer: many entries of 1 MiB.
const ANSWER_OCTETS: usize = 2 << 30;

impl Etcd {
    pub(crate) async fn head(&self) -> Result<Revision, ReadError> {
        self.head_of().await.map_err(Failure::into_read_error)
    }

    pub(super) async fn head_of(&self) -> Result<Revision, Failure> {
        let only = GetOptions::new().with_count_only();
        let answer = self.range(&self.data, None, only).await?;
        Ok(revision(answer.header()))
    }

    pub(crate) async fn get(
        &self,
        key: &Key,
        at: Option<Revision>,
    ) -> Result<Option<Entry>, ReadError> {
        let place = format!("{}{key}", self.data);
        let answer = self.range(&place, at, GetOptions::new()).await;
        let answer = answer.map_err(Failure::into_read_error)?;
        let found = answer.kvs().first();
        found.map(|found| self.entry(found)).transpose()
    }

    pub(crate) async fn page(
        &self,
        prefix: &str,
        at: Option<Revision>,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let options = GetOptions::new();
        let answer = self.page_of(prefix, at, after, limit, options).await?;
        let entries = answer.kvs().iter().map(|found| self.entry(found));
        Ok(Page {
            revision: at.unwrap_or_else(|| revision(answer.header())),
            entries: entries.collect::<Result<_, _>>()?,
            more: answer.more(),
        })
    }

    pub(crate) async fn digest(
        &self,
        prefix: &str,
        at: Option<Revision>,
    ) -> Result<(Revision, Digest), ReadError> {
        let mut digest = Digest::default();
        let (mut at, mut after) = (at, None);
        loop {
            let options = GetOptions::new().with_keys_only();
            let answer = self
                .page_of(prefix, at, after.as_ref(), DIGEST_KEYS, options)
                .await?;
            for found in answer.kvs() {
                digest.add_parts(self.key_of(found)?, super::at(found.mod_revision()));
            }
            let revision = at.unwrap_or_else(|| revision(answer.header()));
            let last = answer.kvs().last().filter(|_| answer.more());
            let Some(last) = last else {
                return Ok((revision, digest));
            };
            after = Some(self.key(last)?);
            at = Some(revision);
        }
    }

    /// Answers of a range: keys with a prefix, after one of them.
    async fn page_of(
        &self,
        prefix: &str,
        at: Option<Revision>,
        after: Option<&Key>,
        limit: usize,
        options: GetOptions,
    ) -> Result<GetResponse, ReadError> {
        let start = match after {
            Some(after) if after.as_str() >= prefix => format!("{}{after}\0", self.data),
            _ => format!("{}{prefix}", self.data),
        };
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let end = end_of(&format!("{}{prefix}", self.data));
        let options = options.with_range(end).with_limit(limit);
        let answer = self.range(&start, at, options).await;
        answer.map_err(Failure::into_read_error)
    }

    async fn range(
        &self,
        start: &str,
        at: Option<Revision>,
        options: GetOptions,
    ) -> Result<GetResponse, Failure> {
        // Zero is the newest one to etcd, and the beginning to us.
        if at == Some(Revision::default()) {
            return Err(Failure::Compacted);
        }
        let options = options.with_revision(at.map_or(0, number));
        self.members
            .ask(|member| {
                let (start, options) = (start.to_owned(), options.clone());
                async move {
                    let kv = member.kv_client().max_decoding_message_size(ANSWER_OCTETS);
                    let mut kv = kv;
                    kv.get(start, Some(options)).await
                }
            })
            .await
    }

    pub(super) fn entry(&self, found: &KeyValue) -> Result<Entry, ReadError> {
        Ok(Entry {
            key: self.key(found)?,
            value: Arc::from(found.value()),
            created: at(found.create_revision()),
            modified: at(found.mod_revision()),
            version: u64::try_from(found.version()).unwrap_or(0),
        })
    }

    pub(super) fn key(&self, found: &KeyValue) -> Result<Key, ReadError> {
        Key::new(self.key_of(found)?).map_err(|error| ReadError::Damaged(error.to_string()))
    }

    fn key_of<'a>(&self, found: &'a KeyValue) -> Result<&'a str, ReadError> {
        let text = str::from_utf8(found.key()).ok();
        let key = text.and_then(|text| text.strip_prefix(self.data.as_str()));
        key.ok_or_else(|| ReadError::Damaged("etcd named a key of somebody else".to_owned()))
    }
}
