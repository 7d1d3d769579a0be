//! What is under way in a session.

pub(crate) mod active;
pub(crate) mod encryption;
pub(crate) mod message;
pub(crate) mod recover;
pub(crate) mod signature;

use cryptoki_sys::{
    CK_FLAGS, CK_OBJECT_HANDLE, CKF_DECRYPT, CKF_DIGEST, CKF_ENCRYPT, CKF_FIND_OBJECTS, CKF_MESSAGE_DECRYPT, CKF_MESSAGE_ENCRYPT,
    CKF_MESSAGE_SIGN, CKF_MESSAGE_VERIFY, CKF_SIGN, CKF_SIGN_RECOVER, CKF_VERIFY, CKF_VERIFY_RECOVER,
};
use interface::hash::Hasher;

use crate::error::{Error, Result};
use crate::objects::object::Object;
use active::{Active, Keyed, Ongoing, OutputLen};
use encryption::{Crypting, Direction};
use message::{Sealing, SigningMessages};
use recover::Recovering;
use signature::Signing;

/// One operation of each kind may be under way at a time.
#[derive(Default)]
pub(crate) struct Operations {
    /// The handles found that the caller has not fetched yet.
    pub(crate) find: Active<std::vec::IntoIter<CK_OBJECT_HANDLE>>,
    pub(crate) digest: Active<Hasher>,
    pub(crate) sign: Active<Signing>,
    pub(crate) verify: Active<Signing>,
    pub(crate) encrypt: Active<Crypting>,
    pub(crate) decrypt: Active<Crypting>,
    pub(crate) sign_recover: Active<Signing>,
    pub(crate) verify_recover: Active<Recovering>,
    /// With the signature, which C_VerifySignatureInit has taken.
    pub(crate) verify_signature: Active<(Signing, Vec<u8>)>,
    pub(crate) message_encrypt: Active<Sealing>,
    pub(crate) message_decrypt: Active<Sealing>,
    pub(crate) message_sign: Active<SigningMessages>,
    pub(crate) message_verify: Active<SigningMessages>,
}

impl Operations {
    /// Every kind, with the flag that names it (PKCS#11 3.1 §5.6.5).
    fn kinds(&mut self) -> [(CK_FLAGS, &mut dyn Ongoing); 13] {
        [
            (CKF_FIND_OBJECTS, &mut self.find),
            (CKF_DIGEST, &mut self.digest),
            (CKF_SIGN, &mut self.sign),
            (CKF_VERIFY, &mut self.verify),
            (CKF_ENCRYPT, &mut self.encrypt),
            (CKF_DECRYPT, &mut self.decrypt),
            (CKF_SIGN_RECOVER, &mut self.sign_recover),
            (CKF_VERIFY_RECOVER, &mut self.verify_recover),
            (CKF_VERIFY, &mut self.verify_signature),
            (CKF_MESSAGE_ENCRYPT, &mut self.message_encrypt),
            (CKF_MESSAGE_DECRYPT, &mut self.message_decrypt),
            (CKF_MESSAGE_SIGN, &mut self.message_sign),
            (CKF_MESSAGE_VERIFY, &mut self.message_verify),
        ]
    }

    pub(crate) fn crypting(&mut self, direction: Direction) -> &mut Active<Crypting> {
        match direction {
            Direction::Encrypt => &mut self.encrypt,
            Direction::Decrypt => &mut self.decrypt,
        }
    }

    pub(crate) fn sealing(&mut self, direction: Direction) -> &mut Active<Sealing> {
        match direction {
            Direction::Encrypt => &mut self.message_encrypt,
            Direction::Decrypt => &mut self.message_decrypt,
        }
    }

    /// Ends the operations that `flags` name.
    pub(crate) fn cancel(&mut self, flags: CK_FLAGS) {
        let named = self.kinds().into_iter().filter(|(flag, _)| flags & flag != 0);
        named.for_each(|(_, operation)| operation.cancel());
    }

    /// Ends the operations that use private objects.
    pub(crate) fn cancel_private(&mut self) {
        let private = self.kinds().into_iter().filter(|(_, operation)| operation.is_private());
        private.for_each(|(_, operation)| operation.cancel());
    }

    /// Fails unless an operation waits for the user's PIN.
    pub(crate) fn check_locked(&mut self) -> Result<()> {
        let locked = self.kinds().iter().any(|(_, operation)| operation.is_locked());
        if locked { Ok(()) } else { Err(Error::OperationNotInitialized) }
    }

    /// The user has given the PIN that operations wait for.
    pub(crate) fn unlock(&mut self) {
        self.kinds().into_iter().for_each(|(_, operation)| operation.unlock());
    }

    /// The flags of the operations under way.
    pub(crate) fn under_way(&mut self) -> CK_FLAGS {
        let ongoing = self.kinds().into_iter().filter(|(_, operation)| operation.is_active());
        ongoing.fold(0, |flags, (flag, _)| flags | flag)
    }
}

impl OutputLen for Hasher {
    fn output_len(&self, _: usize) -> usize {
        self.hash().len()
    }
}

impl Keyed for Hasher {
    fn object(&self) -> Option<&Object> {
        None
    }
}

impl Keyed for std::vec::IntoIter<CK_OBJECT_HANDLE> {
    fn object(&self) -> Option<&Object> {
        None
    }
}

impl Keyed for (Signing, Vec<u8>) {
    fn object(&self) -> Option<&Object> {
        self.0.object()
    }
}
