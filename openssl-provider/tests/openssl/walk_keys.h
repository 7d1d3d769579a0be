/* Functions of keys. */

/* What EVP_PKEY-EC(7), EVP_PKEY-RSA(7), EVP_PKEY-X25519(7) and EVP_PKEY-ED25519(7) name. */
static const char *const parameters[] = {
    "bits", "max-size", "security-bits", "default-digest", "mandatory-digest", "properties", "group", "pub", "encoded-pub-key", "priv", "qx",
    "qy", "p", "a", "b", "generator", "order", "cofactor", "seed", "field-type", "basis-type", "m", "tp", "k1", "k2", "k3",
    "decoded-from-explicit", "encoding", "point-format", "group-check", "use-cofactor-flag", "include-public", "n", "e", "d", "rsa-factor1",
    "rsa-factor2", "rsa-exponent1", "rsa-coefficient1", "primes", "pbits", "digest", "mgf", "mgf1-digest", "saltlen", "dhkem-ikm", NULL,
};

static void told_parameters(const struct subject *subject)
{
    unsigned char bytes[4096];
    char asked[64], text[256] = "";
    tell_names("EVP_PKEY_gettable_params", EVP_PKEY_gettable_params(subject->key));
    for (const char *const *name = parameters; *name != NULL; name++) {
        size_t len = 0;
        int number = 0, result;
        BIGNUM *big = NULL;
        snprintf(asked, sizeof(asked), "EVP_PKEY_get_bn_param %s", *name);
        result = EVP_PKEY_get_bn_param(subject->key, *name, &big);
        tell_bytes(asked, result, bytes, result > 0 ? (size_t)BN_bn2bin(big, bytes) : 0);
        BN_clear_free(big);
        snprintf(asked, sizeof(asked), "EVP_PKEY_get_int_param %s", *name);
        result = EVP_PKEY_get_int_param(subject->key, *name, &number);
        tell(asked, "%d %d", result, result > 0 ? number : 0);
        snprintf(asked, sizeof(asked), "EVP_PKEY_get_size_t_param %s", *name);
        result = EVP_PKEY_get_size_t_param(subject->key, *name, &len);
        tell(asked, "%d %zu", result, result > 0 ? len : 0);
        snprintf(asked, sizeof(asked), "EVP_PKEY_get_utf8_string_param %s", *name);
        result = EVP_PKEY_get_utf8_string_param(subject->key, *name, text, sizeof(text), &len);
        tell(asked, "%d %s", result, result > 0 ? text : "");
        snprintf(asked, sizeof(asked), "EVP_PKEY_get_octet_string_param %s", *name);
        result = EVP_PKEY_get_octet_string_param(subject->key, *name, bytes, sizeof(bytes), &len);
        tell_bytes(asked, result, bytes, len);
        OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(*name, NULL, 0), OSSL_PARAM_construct_end() };
        snprintf(asked, sizeof(asked), "EVP_PKEY_get_params %s", *name);
        result = EVP_PKEY_get_params(subject->key, params);
        tell(asked, "%d %zu", result, result > 0 && OSSL_PARAM_modified(params) ? params[0].return_size : 0);
    }
}

static void told_by_getters(const struct subject *subject)
{
    EVP_PKEY *key = subject->key;
    const char *const names[] = { "RSA", "RSA-PSS", "EC", "ED25519", "X25519", "rsaEncryption", "id-ecPublicKey", "1.2.840.113549.1.1.1", "DH" };
    unsigned char bytes[4096], *allocated = NULL;
    char text[256] = "";
    size_t len = sizeof(bytes);
    int number = 0, result;
    tell("EVP_PKEY_get_id", "%d", EVP_PKEY_get_id(key));
    tell("EVP_PKEY_get_base_id", "%d", EVP_PKEY_get_base_id(key));
    tell("EVP_PKEY_type", "%d", EVP_PKEY_type(EVP_PKEY_get_base_id(key)));
    tell("EVP_PKEY_get_bits", "%d", EVP_PKEY_get_bits(key));
    tell("EVP_PKEY_get_security_bits", "%d", EVP_PKEY_get_security_bits(key));
    tell("EVP_PKEY_get_size", "%d", EVP_PKEY_get_size(key));
    tell("EVP_PKEY_get0_type_name", "%s", EVP_PKEY_get0_type_name(key));
    tell("EVP_PKEY_get0_description", "%d", EVP_PKEY_get0_description(key) != NULL);
    tell("EVP_PKEY_get0_provider", "%d", EVP_PKEY_get0_provider(key) != NULL);
    tell("EVP_PKEY_get0", "%d", EVP_PKEY_get0(key) != NULL);
    tell("EVP_PKEY_get0_asn1", "%d", EVP_PKEY_get0_asn1(key) != NULL);
    tell("EVP_PKEY_get0_engine", "%d", EVP_PKEY_get0_engine(key) != NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        tell("EVP_PKEY_is_a", "%s %d", names[i], EVP_PKEY_is_a(key, names[i]));
    tell("EVP_PKEY_can_sign", "%d", EVP_PKEY_can_sign(key));
    tell("EVP_PKEY_missing_parameters", "%d", EVP_PKEY_missing_parameters(key));
    tell("EVP_PKEY_get_field_type", "%d", EVP_PKEY_get_field_type(key));
    tell("EVP_PKEY_get_ec_point_conv_form", "%d", EVP_PKEY_get_ec_point_conv_form(key));
    result = EVP_PKEY_get_group_name(key, text, sizeof(text), &len);
    tell("EVP_PKEY_get_group_name", "%d %s", result, text);
    *text = 0;
    result = EVP_PKEY_get_default_digest_name(key, text, sizeof(text));
    tell("EVP_PKEY_get_default_digest_name", "%d %s", result, text);
    result = EVP_PKEY_get_default_digest_nid(key, &number);
    tell("EVP_PKEY_get_default_digest_nid", "%d %d", result, number);
    result = EVP_PKEY_digestsign_supports_digest(key, libctx, "SHA384", NULL);
    tell("EVP_PKEY_digestsign_supports_digest", "%d", result);
    len = EVP_PKEY_get1_encoded_public_key(key, &allocated);
    tell_bytes("EVP_PKEY_get1_encoded_public_key", len > 0, allocated, len);
    OPENSSL_free(allocated);
    len = sizeof(bytes);
    result = EVP_PKEY_get_raw_public_key(key, bytes, &len);
    tell_bytes("EVP_PKEY_get_raw_public_key", result, bytes, len);
    len = sizeof(bytes);
    tell("EVP_PKEY_get_raw_private_key", "%d", EVP_PKEY_get_raw_private_key(key, bytes, &len));
}

static void legacy(const struct subject *subject)
{
    EVP_PKEY *key = EVP_PKEY_dup(subject->key);
    size_t len;
    RSA *rsa = EVP_PKEY_get1_RSA(key);
    EC_KEY *ec = EVP_PKEY_get1_EC_KEY(key);
    tell("EVP_PKEY_get1_RSA", "%d", rsa != NULL);
    tell("EVP_PKEY_get0_RSA", "%d", EVP_PKEY_get0_RSA(key) != NULL);
    tell("EVP_PKEY_get1_EC_KEY", "%d", ec != NULL);
    tell("EVP_PKEY_get0_EC_KEY", "%d", EVP_PKEY_get0_EC_KEY(key) != NULL);
    tell("EVP_PKEY_get1_DH", "%d", EVP_PKEY_get1_DH(key) != NULL);
    tell("EVP_PKEY_get0_DH", "%d", EVP_PKEY_get0_DH(key) != NULL);
    tell("EVP_PKEY_get1_DSA", "%d", EVP_PKEY_get1_DSA(key) != NULL);
    tell("EVP_PKEY_get0_DSA", "%d", EVP_PKEY_get0_DSA(key) != NULL);
    tell("EVP_PKEY_get0_hmac", "%d", EVP_PKEY_get0_hmac(key, &len) != NULL);
    tell("EVP_PKEY_get0_poly1305", "%d", EVP_PKEY_get0_poly1305(key, &len) != NULL);
    tell("EVP_PKEY_get0_siphash", "%d", EVP_PKEY_get0_siphash(key, &len) != NULL);
    RSA_free(rsa);
    EC_KEY_free(ec);
    EVP_PKEY_free(key);
}

static void copies(const struct subject *subject)
{
    EVP_PKEY *key = EVP_PKEY_dup(subject->key), *empty = EVP_PKEY_new();
    tell("EVP_PKEY_dup", "%d", key != NULL);
    tell("EVP_PKEY_eq", "%d %d", EVP_PKEY_eq(key, theirs), EVP_PKEY_eq(theirs, key));
    tell("EVP_PKEY_cmp", "%d", EVP_PKEY_cmp(key, subject->key));
    tell("EVP_PKEY_parameters_eq", "%d", EVP_PKEY_parameters_eq(key, theirs));
    tell("EVP_PKEY_cmp_parameters", "%d", EVP_PKEY_cmp_parameters(theirs, key));
    tell("EVP_PKEY_copy_parameters", "%d", EVP_PKEY_copy_parameters(empty, key));
    tell("EVP_PKEY_missing_parameters", "%d", EVP_PKEY_missing_parameters(empty));
    tell("EVP_PKEY_save_parameters", "%d", EVP_PKEY_save_parameters(key, 1));
    tell("EVP_PKEY_up_ref", "%d", EVP_PKEY_up_ref(key));
    EVP_PKEY_free(key);
    tell("EVP_PKEY_set_ex_data", "%d", EVP_PKEY_set_ex_data(key, 0, &libctx));
    tell("EVP_PKEY_get_ex_data", "%d", EVP_PKEY_get_ex_data(key, 0) == &libctx);
    tell("EVP_PKEY_set_ex_data", "%d", EVP_PKEY_set_ex_data(key, 0, NULL));
    EVP_PKEY_free(key);
    EVP_PKEY_free(empty);
}

/* Attributes of a key, as PKCS#12 has them. */
static void attributes(const struct subject *subject)
{
    EVP_PKEY *key = EVP_PKEY_dup(subject->key);
    const ASN1_OBJECT *name = OBJ_nid2obj(NID_friendlyName);
    X509_ATTRIBUTE *attribute = X509_ATTRIBUTE_create_by_NID(NULL, NID_localKeyID, V_ASN1_OCTET_STRING, "1", 1);
    const unsigned char *text = (const unsigned char *)"web";
    tell("EVP_PKEY_add1_attr", "%d", EVP_PKEY_add1_attr(key, attribute));
    tell("EVP_PKEY_add1_attr_by_NID", "%d", EVP_PKEY_add1_attr_by_NID(key, NID_friendlyName, MBSTRING_ASC, text, 3));
    tell("EVP_PKEY_add1_attr_by_OBJ", "%d", EVP_PKEY_add1_attr_by_OBJ(key, OBJ_nid2obj(NID_LocalKeySet), MBSTRING_ASC, text, 3));
    tell("EVP_PKEY_add1_attr_by_txt", "%d", EVP_PKEY_add1_attr_by_txt(key, "1.2.3", MBSTRING_ASC, text, 3));
    tell("EVP_PKEY_get_attr_count", "%d", EVP_PKEY_get_attr_count(key));
    tell("EVP_PKEY_get_attr_by_NID", "%d", EVP_PKEY_get_attr_by_NID(key, NID_friendlyName, -1));
    tell("EVP_PKEY_get_attr_by_OBJ", "%d", EVP_PKEY_get_attr_by_OBJ(key, name, -1));
    tell("EVP_PKEY_get_attr", "%d", EVP_PKEY_get_attr(key, 0) != NULL);
    X509_ATTRIBUTE_free(EVP_PKEY_delete_attr(key, 0));
    tell("EVP_PKEY_delete_attr", "%d", EVP_PKEY_get_attr_count(key));
    X509_ATTRIBUTE_free(attribute);
    EVP_PKEY_free(key);
}

static void checks(const struct subject *subject)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, subject->key, NULL);
    tell("EVP_PKEY_check", "%d", EVP_PKEY_check(ctx));
    tell("EVP_PKEY_public_check", "%d", EVP_PKEY_public_check(ctx));
    tell("EVP_PKEY_public_check_quick", "%d", EVP_PKEY_public_check_quick(ctx));
    tell("EVP_PKEY_param_check", "%d", EVP_PKEY_param_check(ctx));
    tell("EVP_PKEY_param_check_quick", "%d", EVP_PKEY_param_check_quick(ctx));
    tell("EVP_PKEY_private_check", "%d", EVP_PKEY_private_check(ctx));
    tell("EVP_PKEY_pairwise_check", "%d", EVP_PKEY_pairwise_check(ctx));
    EVP_PKEY_CTX_free(ctx);
}

static void printed(const struct subject *subject)
{
    FILE *nowhere = fopen("/dev/null", "w");
    BIO *bio = BIO_new(BIO_s_mem());
    tell("EVP_PKEY_print_params", "%d", EVP_PKEY_print_params(bio, subject->key, 0, NULL) > 0);
    tell("EVP_PKEY_print_public", "%d", EVP_PKEY_print_public(bio, subject->key, 0, NULL));
    tell("EVP_PKEY_print_private", "%d", EVP_PKEY_print_private(bio, subject->key, 0, NULL));
    tell("EVP_PKEY_print_params_fp", "%d", EVP_PKEY_print_params_fp(nowhere, subject->key, 0, NULL) > 0);
    tell("EVP_PKEY_print_public_fp", "%d", EVP_PKEY_print_public_fp(nowhere, subject->key, 0, NULL));
    tell("EVP_PKEY_print_private_fp", "%d", EVP_PKEY_print_private_fp(nowhere, subject->key, 0, NULL));
    BIO_free(bio);
    fclose(nowhere);
}

static int exported(const OSSL_PARAM params[], void *asked)
{
    (void)asked;
    return params[0].key != NULL;
}

static void data(const struct subject *subject)
{
    const struct { const char *name; int selection; } selections[] = {
        { "parameters", EVP_PKEY_KEY_PARAMETERS }, { "domain", OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS },
        { "point", OSSL_KEYMGMT_SELECT_PUBLIC_KEY }, { "public", EVP_PKEY_PUBLIC_KEY }, { "pair", EVP_PKEY_KEYPAIR },
    };
    char asked[64];
    for (size_t i = 0; i < sizeof(selections) / sizeof(*selections); i++) {
        OSSL_PARAM *params = NULL;
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, subject->key, NULL);
        EVP_PKEY *again = NULL;
        snprintf(asked, sizeof(asked), "EVP_PKEY_export %s", selections[i].name);
        tell(asked, "%d", EVP_PKEY_export(subject->key, selections[i].selection, exported, NULL));
        snprintf(asked, sizeof(asked), "EVP_PKEY_fromdata_settable %s", selections[i].name);
        tell(asked, "%d", EVP_PKEY_fromdata_settable(ctx, selections[i].selection) != NULL);
        snprintf(asked, sizeof(asked), "EVP_PKEY_fromdata_init %s", selections[i].name);
        tell(asked, "%d", EVP_PKEY_fromdata_init(ctx));
        snprintf(asked, sizeof(asked), "EVP_PKEY_todata %s", selections[i].name);
        tell(asked, "%d", EVP_PKEY_todata(subject->key, selections[i].selection, &params));
        tell_names(asked, params);
        OSSL_PARAM_free(params);
        params = NULL;
        EVP_PKEY_todata(theirs, selections[i].selection, &params);
        snprintf(asked, sizeof(asked), "EVP_PKEY_fromdata %s", selections[i].name);
        tell(asked, "%d", params != NULL && EVP_PKEY_fromdata(ctx, &again, selections[i].selection, params) > 0);
        if (selections[i].selection == EVP_PKEY_PUBLIC_KEY) {
            char text[64] = "";
            snprintf(asked, sizeof(asked), "EVP_PKEY_get_default_digest_name of data %s", selections[i].name);
            tell(asked, "%d %s", EVP_PKEY_get_default_digest_name(again, text, sizeof(text)), text);
        }
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(again);
        OSSL_PARAM_free(params);
    }
}

/* In copies, and what is told of them afterwards. */
static void set(const struct subject *subject)
{
    EVP_PKEY *key = EVP_PKEY_dup(subject->key);
    const char *const texts[][2] = { { "point-format", "compressed" }, { "point-format", "none" }, { "encoding", "explicit" },
        { "group-check", "named" }, { "group", "prime256v1" }, { "digest", "SHA384" } };
    unsigned char *encoded = NULL;
    char asked[64], text[64];
    size_t len;
    BIGNUM *big = BN_new();
    BN_set_word(big, 3);
    tell_names("EVP_PKEY_settable_params", EVP_PKEY_settable_params(key));
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        snprintf(asked, sizeof(asked), "EVP_PKEY_set_utf8_string_param %s=%s", texts[i][0], texts[i][1]);
        tell(asked, "%d", EVP_PKEY_set_utf8_string_param(key, texts[i][0], texts[i][1]));
        int result = EVP_PKEY_get_utf8_string_param(key, texts[i][0], text, sizeof(text), &len);
        tell(asked, "then %d %s", result, result > 0 ? text : "");
        len = EVP_PKEY_get1_encoded_public_key(key, &encoded);
        tell_bytes(asked, len > 0, encoded, len);
        OPENSSL_free(encoded);
        len = (size_t)i2d_PUBKEY(key, NULL);
        tell(asked, "SPKI of %zu", len);
        EVP_PKEY_free(key);
        key = EVP_PKEY_dup(subject->key);
    }
    const char *const numbers[] = { "use-cofactor-flag", "include-public", "bits" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(asked, sizeof(asked), "EVP_PKEY_set_int_param %s", numbers[i]);
        tell(asked, "%d", EVP_PKEY_set_int_param(key, numbers[i], 1));
        snprintf(asked, sizeof(asked), "EVP_PKEY_set_size_t_param %s", numbers[i]);
        tell(asked, "%d", EVP_PKEY_set_size_t_param(key, numbers[i], 1));
    }
    tell("EVP_PKEY_set_bn_param", "%d", EVP_PKEY_set_bn_param(key, "e", big));
    tell("EVP_PKEY_set_octet_string_param", "%d", EVP_PKEY_set_octet_string_param(key, "seed", (const unsigned char *)"seed", 4));
    OSSL_PARAM none[] = { OSSL_PARAM_construct_end() };
    tell("EVP_PKEY_set_params", "%d", EVP_PKEY_set_params(key, none));
    tell("EVP_PKEY_set1_encoded_public_key", "%d", EVP_PKEY_set1_encoded_public_key(key, (const unsigned char *)"none", 4) > 0);
    len = EVP_PKEY_get1_encoded_public_key(theirs, &encoded);
    EVP_PKEY_free(key);
    EVP_PKEY *peer = EVP_PKEY_new();
    EVP_PKEY_copy_parameters(peer, subject->key);
    tell("EVP_PKEY_set1_encoded_public_key", "%d", len > 0 && EVP_PKEY_set1_encoded_public_key(peer, encoded, len) > 0);
    OPENSSL_free(encoded);
    EVP_PKEY_free(peer);
    BN_free(big);
}

/* Keys of the raw bytes of a public one. */
static void raw(const struct subject *subject)
{
    unsigned char bytes[64];
    size_t len = sizeof(bytes);
    const char *name = EVP_PKEY_get0_type_name(subject->key);
    if (EVP_PKEY_get_raw_public_key(theirs, bytes, &len) != 1)
        return;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(libctx, name, subject->properties, bytes, len);
    tell("EVP_PKEY_new_raw_public_key_ex", "%d %d", key != NULL, key != NULL && EVP_PKEY_eq(key, theirs));
    EVP_PKEY_free(key);
    key = EVP_PKEY_new_raw_private_key_ex(libctx, name, subject->properties, bytes, len);
    tell("EVP_PKEY_new_raw_private_key_ex", "%d", key != NULL);
    EVP_PKEY_free(key);
}

const struct family keys[] = {
    { "parameters", told_parameters }, { "getters", told_by_getters }, { "legacy", legacy }, { "copies", copies },
    { "attributes", attributes }, { "checks", checks }, { "printed", printed }, { "data", data }, { "set", set }, { "raw", raw }, { NULL, NULL },
};
