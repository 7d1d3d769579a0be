//! An admitted request, as its provider sees it.

use super::Admission;
use crate::auth::{Principal, clients};
use crate::client_process::ClientProcess;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::log::Asker;
use crate::memory::{self, Parsed};
use crate::processor::aside;
use crate::quotas::Limit;
use crate::store::{Material, Reservation, Store};
use crate::wrapping;
use interface::algorithm::Algorithm;
use interface::attributes::{Attributes, EccFamily, KeyType, Usage};
use interface::message::Pkcs11Attribute;
use interface::operations::RecordKind;
use interface::{Filing, ProviderId, Secret, Status};
use std::sync::Arc;

/// A request as its provider may see it. Only admission makes one, after it has checked access and key policy.
pub struct Call<'a> {
    pub(crate) caller: Option<&'a Principal>,
    /// The user behind it.
    pub(crate) uid: u32,
    pub(super) provider: ProviderId,
    pub(super) extended: bool,
    pub(crate) process: Option<ClientProcess>,
    pub(crate) asker: &'a Asker,
    pub(crate) admission: &'a Admission,
    pub(super) key: Option<Arc<Key>>,
    pub(super) other: Option<Arc<Key>>,
    pub(super) new: Option<(Filing, Attributes)>,
    pub(super) algorithm: Option<Algorithm>,
    /// The usage of the key.
    pub(super) usage: Usage,
    /// The resets of the new key's token, counted before the request looked for any key.
    pub(super) epoch: u64,
}

impl<'a> Call<'a> {
    /// The caller.
    ///
    /// # Errors
    /// [`Status::NotAuthenticated`] where the operation did not require it and nobody is.
    pub fn caller(&self) -> Result<&'a Principal> {
        self.caller.ok_or_else(|| Status::NotAuthenticated.into())
    }

    /// The provider that the request is addressed to.
    pub fn provider(&self) -> ProviderId {
        self.provider
    }

    /// Whether the connection has said Hello, so that extensions may show.
    pub fn extended(&self) -> bool {
        self.extended
    }

    /// Whether deprecated primitives may be generated.
    pub fn allow_deprecated(&self) -> bool {
        self.admission.allow_deprecated
    }

    /// Fails for who may not see the records of everybody, and for records of another kind than keys.
    pub(crate) fn check_overview(&self, kind: Option<i32>) -> Result<()> {
        let caller = self.caller()?;
        if !self.admission.authenticators.admin(caller) {
            let detail =
                format!("only administrators see everybody's keys, and {caller} is none: see admins in the configuration");
            return Err(Error::refused(Status::AdminOperation, detail));
        }
        if kind != Some(RecordKind::Key.into()) {
            return Err(Error::refused(Status::PsaErrorInvalidArgument, "of everybody's records only keys are listed"));
        }
        Ok(())
    }

    /// The key store.
    pub fn store(&self) -> &'a Store {
        &self.admission.store
    }

    /// The key that the request uses, sees or owns.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidHandle`] for an operation whose row in the table names no key.
    pub fn key(&self) -> Result<&Arc<Key>> {
        self.key.as_ref().ok_or_else(|| Status::PsaErrorInvalidHandle.into())
    }

    /// The second key that the request uses: the one that is wrapped, or that takes part in a derivation.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidHandle`] where there is none.
    pub fn other(&self) -> Result<&Arc<Key>> {
        self.other.as_ref().ok_or_else(|| Status::PsaErrorInvalidHandle.into())
    }

    /// The concrete algorithm that the key is used with.
    ///
    /// # Errors
    /// [`Status::InvalidEncoding`] for an operation whose row in the table names no algorithm.
    pub fn algorithm(&self) -> Result<Algorithm> {
        self.algorithm.ok_or_else(|| Status::InvalidEncoding.into())
    }

    /// The attributes of the new key.
    ///
    /// # Errors
    /// [`Status::InvalidEncoding`] for an operation that creates no key.
    pub fn attributes(&self) -> Result<&Attributes> {
        self.new.as_ref().map(|(_, attributes)| attributes).ok_or_else(|| Status::InvalidEncoding.into())
    }

    /// Refuses a name that a key has already, for a provider that leaves nothing behind if [`Self::reserve`] refuses it afterwards.
    ///
    /// # Errors
    /// [`Status::PsaErrorAlreadyExists`].
    pub fn check_name(&self) -> Result<()> {
        let (filing, _) = self.new.as_ref().ok_or(Status::InvalidEncoding)?;
        self.store().check_name(self.provider, self.caller()?, &filing.name)
    }

    /// Reserves the new key's name before anything is made under it, durably unless the key is volatile.
    ///
    /// # Errors
    /// [`Status::PsaErrorAlreadyExists`], or the store's own.
    pub fn reserve(&self) -> Result<Reservation<'a>> {
        let (filing, attributes) = self.new.as_ref().ok_or(Status::InvalidEncoding)?;
        let reservation = self.store().reserve(self.provider, self.caller()?, filing, attributes, self.process)?;
        Ok(reservation.since(self.epoch).by(self.uid))
    }

    /// Refuses a request if the caller, or the user behind it, would then have more of the store than it may.
    ///
    /// # Errors
    /// Those of [`Quotas::check`](crate::quotas::Quotas::check).
    pub(crate) fn check_room(&self, demand: impl IntoIterator<Item = (Limit, u64)>) -> Result<()> {
        let clients = clients(Some(self.caller()?), self.uid).map(|who| (self.store().usage(&who), who));
        let clients: Vec<_> = clients.collect();
        for (limit, more) in demand.into_iter().filter(|(_, more)| *more > 0) {
            clients
                .iter()
                .try_for_each(|(usage, who)| self.admission.quotas.check(who, limit, usage.of(limit).saturating_add(more)))?;
        }
        Ok(())
    }

    /// Refuses to give somebody more of the store than it may have.
    ///
    /// # Errors
    /// Those of [`Quotas::check`](crate::quotas::Quotas::check).
    pub(crate) fn check_room_of(&self, who: &Principal, demand: impl IntoIterator<Item = (Limit, u64)>) -> Result<()> {
        let usage = self.store().usage(who);
        let mut demand = demand.into_iter();
        demand.try_for_each(|(limit, more)| self.admission.quotas.check(who, limit, usage.of(limit).saturating_add(more)))
    }

    /// As [`wrapping::check_trust`].
    ///
    /// # Errors
    /// [`Status::AdminOperation`].
    pub(crate) fn check_trust(&self, kept: &[Pkcs11Attribute]) -> Result<()> {
        wrapping::check_trust(kept, || Ok(self.store().is_officer(self.provider, self.caller()?, self.process)))
    }

    /// The provider's parsed form of a key of the request. It is made from the stored material at the first use, and again after the key
    /// was idle for a while.
    ///
    /// # Errors
    /// Those of the store and of `load`.
    pub fn loaded<T: Parsed>(&self, key: &Key, load: impl FnOnce(&Attributes, Secret) -> Result<T>) -> Result<Arc<T>> {
        memory::mark_stack();
        let form = match key.loaded.form() {
            Some(form) => form,
            None => self.store().forms.hold(&key.loaded, aside(|| load(&key.attributes, self.store().material(key)?))?),
        };
        let other = |_| Error::Corrupt(format!("key '{}' was loaded by another provider", key.name));
        form.downcast().map_err(other)
    }

    /// Whether the operation with its key takes longer than a moment.
    pub(crate) fn long(&self) -> bool {
        self.key.as_ref().is_some_and(|key| match key.attributes.key_type {
            KeyType::RsaKeyPair => {
                !matches!(self.usage, Usage::NONE | Usage::VERIFY_HASH | Usage::VERIFY_MESSAGE | Usage::ENCRYPT)
            }
            KeyType::EccKeyPair(EccFamily::SecpR1 | EccFamily::Montgomery | EccFamily::TwistedEdwards) => {
                key.attributes.bits > 256
            }
            key_type => key_type.is_pair() && self.usage != Usage::NONE,
        })
    }

    /// Makes a new key ready and keeps its parsed form. Making the key has left traces on the stack, and the padding of a structure takes
    /// over what lay there. So the stack is wiped before the lasting structure is made.
    ///
    /// # Errors
    /// As [`Reservation::commit`].
    pub fn commit<T: Parsed>(&self, reservation: Reservation<'_>, material: Material, form: T) -> Result<()> {
        memory::wipe_stack();
        let key = reservation.commit(material)?;
        self.store().forms.hold(&key.loaded, form);
        Ok(())
    }
}
