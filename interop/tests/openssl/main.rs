//! The `openssl` command with keys that live in the service, named by URI and by reference file: that of the system, which links
//! libcrypto, and newer ones that have it inside. All load the same provider.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod certificates;
mod desk;
mod fresh;
mod keys;
mod messages;
mod signatures;
mod tls;

use certificates::*;
use fresh::*;
use keys::*;
use messages::*;
use signatures::*;
use tls::*;

macro_rules! tests {
    ($($name:ident)*) => {
        tests! { @with system System $($name)* }
        tests! { @with v3_5 V3_5 $($name)* }
        tests! { @with v4_0 V4_0 $($name)* }
    };
    (@with $module:ident $openssl:ident $($name:ident)*) => {
        mod $module {
            use crate::desk::Openssl;
            $(#[test] fn $name() { super::$name(Openssl::$openssl) })*
        }
    };
}

tests! {
    signatures_verify_elsewhere
    requests_become_certificates_of_an_authority_in_the_service
    signed_messages_verify_elsewhere
    servers_and_clients_of_tls
    what_others_encrypt_is_decrypted
    secrets_are_agreed_on_with_others
    messages_to_a_certificate_are_decrypted_by_agreeing_on_a_secret
    each_of_several_recipients_decrypts_a_message
    an_authority_certifies_and_revokes
    timestamps_are_signed
    tls_without_ephemeral_keys_works_where_the_policy_permits_it
    keys_that_openssl_makes_stay_in_the_service
    keys_without_a_name_are_stored_when_they_are_written
    a_key_whose_file_has_no_room_is_not_stored
    keys_for_pss_alone_have_certificates_of_their_own
    references_in_pkcs8_are_keys
    the_store_lists_keys_and_certificates
    private_keys_stay_where_they_are
    refusals_name_what_is_missing
}

tests! { @with sealed Sealed signatures_verify_elsewhere servers_and_clients_of_tls }

tests! { @with system_libcrypto System what_is_never_written_leaves_nothing }

macro_rules! newer_tests {
    ($($name:ident)*) => {
        tests! { @with newer_3_5 V3_5 $($name)* }
        tests! { @with newer_4_0 V4_0 $($name)* }
    };
}

newer_tests! {
    keys_of_ml_dsa_sign_requests_certificates_and_messages
    no_order_of_providers_disturbs_the_hybrid_key_exchange
    servers_with_keys_of_ml_dsa_leave_the_hybrid_key_exchange_alone
    algorithms_with_their_digest_built_in_sign_in_every_way
}
