//! How a command shows that it may use a key, and hides on its way to the chip what nobody between is to see.
//!
//! Without parameter encryption that is the key's password, in the clear. With it, it is one HMAC session that is kept open, since
//! opening one costs more than a signature: passwords are proven and not sent, and the first parameter of each command and answer,
//! which is the secret one, is encrypted. The session's key is made of a salt that only the storage primary can read, the one whose
//! name every stored key has; so it takes the chip itself to use one of them through a session.

use super::failure::Failure;
use super::link::Link;
use tss_esapi::Context;
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
use tss_esapi::constants::tss::TPM2_LOADED_SESSION_FIRST;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::SymmetricDefinition;

/// Opens a session, whose salt this key reads.
pub(super) fn open(link: &mut Link, salted: Option<KeyHandle>) -> Result<Option<AuthSession>, Failure> {
    let cipher = SymmetricDefinition::AES_128_CFB;
    let start = |context: &mut Context| {
        context.start_auth_session(salted, None, None, SessionType::Hmac, cipher, HashingAlgorithm::Sha256)
    };
    let session = match link.ask(start) {
        // A crashed service has left its own, in a chip that is ours alone.
        Err(failure) if matches!(failure.kind(), Some(Kind::SessionMemory | Kind::SessionHandles)) => {
            link.clear(TPM2_LOADED_SESSION_FIRST)?;
            link.ask(start)
        }
        session => session,
    }?;
    let attributes = SessionAttributesBuilder::new().with_continue_session(true).with_decrypt(true).with_encrypt(true);
    let (attributes, mask) = attributes.build();
    if let Some(session) = session {
        link.ask(|context| context.tr_sess_set_attributes(session, attributes, mask))?;
    }
    Ok(session)
}
