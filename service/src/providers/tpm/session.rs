//! How a command proves that it may use a key, and hides its secret parameters on the bus.
//!
//! Without parameter encryption a command carries the key's password in the clear. With it, all commands share one HMAC session
//! that stays open, because opening one costs more than a signature. The session proves passwords without sending them, and
//! encrypts the first parameter of each command and answer, which is the secret one. Only the storage primary can read the salt of
//! the session's key, and every stored key carries the name of its storage primary. So only the genuine chip can use a key through
//! a session.

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
