/* Functions of operations. */

static EVP_PKEY_CTX *with_key(const struct subject *subject)
{
    return EVP_PKEY_CTX_new_from_pkey(libctx, subject->key, NULL);
}

static EVP_PKEY_CTX *with_theirs(void)
{
    return EVP_PKEY_CTX_new_from_pkey(libctx, theirs, "provider=default");
}

static int callback(EVP_PKEY_CTX *ctx)
{
    (void)ctx;
    return 1;
}

static void what_all_have(const struct subject *subject)
{
    EVP_PKEY_CTX *ctx = with_key(subject), *copy;
    const char *const names[] = { "RSA", "EC", "X25519" };
    int data = 7, info[2] = { 1, 2 };
    size_t len = 0;
    EVP_PKEY_sign_init_ex(ctx, NULL);
    tell("EVP_PKEY_CTX_get0_libctx", "%d", EVP_PKEY_CTX_get0_libctx(ctx) == libctx);
    tell("EVP_PKEY_CTX_get0_propq", "%d", EVP_PKEY_CTX_get0_propq(ctx) == NULL);
    tell("EVP_PKEY_CTX_get0_provider", "%d", EVP_PKEY_CTX_get0_provider(ctx) != NULL);
    tell("EVP_PKEY_CTX_get0_pkey", "%d", EVP_PKEY_CTX_get0_pkey(ctx) == subject->key);
    tell("EVP_PKEY_CTX_get0_peerkey", "%d", EVP_PKEY_CTX_get0_peerkey(ctx) == NULL);
    tell("EVP_PKEY_CTX_get_operation", "%d", EVP_PKEY_CTX_get_operation(ctx));
    for (size_t i = 0; i < 3; i++)
        tell("EVP_PKEY_CTX_is_a", "%s %d", names[i], EVP_PKEY_CTX_is_a(ctx, names[i]));
    EVP_PKEY_CTX_set_app_data(ctx, &data);
    EVP_PKEY_CTX_set_data(ctx, &data);
    EVP_PKEY_CTX_set_cb(ctx, callback);
    EVP_PKEY_CTX_set0_keygen_info(ctx, info, 2);
    tell("EVP_PKEY_CTX_get_app_data", "%d", EVP_PKEY_CTX_get_app_data(ctx) == &data);
    tell("EVP_PKEY_CTX_get_data", "%d", EVP_PKEY_CTX_get_data(ctx) == &data);
    tell("EVP_PKEY_CTX_get_cb", "%d", EVP_PKEY_CTX_get_cb(ctx) == callback);
    tell("EVP_PKEY_CTX_get_keygen_info", "%d %d", EVP_PKEY_CTX_get_keygen_info(ctx, -1), EVP_PKEY_CTX_get_keygen_info(ctx, 1));
    tell("EVP_PKEY_CTX_set1_id", "%d", EVP_PKEY_CTX_set1_id(ctx, "id", 2));
    tell("EVP_PKEY_CTX_get1_id_len", "%d", EVP_PKEY_CTX_get1_id_len(ctx, &len));
    tell("EVP_PKEY_CTX_get1_id", "%d", EVP_PKEY_CTX_get1_id(ctx, &info));
    tell("EVP_PKEY_CTX_set_mac_key", "%d", EVP_PKEY_CTX_set_mac_key(ctx, (const unsigned char *)"key", 3) > 0);
    copy = EVP_PKEY_CTX_dup(ctx);
    tell("EVP_PKEY_CTX_dup", "%d", copy != NULL);
    EVP_PKEY_CTX_free(copy);
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new(subject->key, NULL);
    tell("EVP_PKEY_CTX_new", "%d", ctx != NULL);
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_get_id(subject->key), NULL);
    tell("EVP_PKEY_CTX_new_id", "%d", ctx != NULL);
    EVP_PKEY_CTX_free(ctx);
}

/* What is told of the settings of a signature. */
static void told_of_signature(EVP_PKEY_CTX *ctx)
{
    const EVP_MD *md = NULL;
    char name[64] = "", digest[64] = "", padding[64] = "", salt[64] = "";
    int number = 0, result;
    result = EVP_PKEY_CTX_get_signature_md(ctx, &md);
    tell("EVP_PKEY_CTX_get_signature_md", "%d %s", result, md ? EVP_MD_get0_name(md) : "");
    result = EVP_PKEY_CTX_get_rsa_padding(ctx, &number);
    tell("EVP_PKEY_CTX_get_rsa_padding", "%d %d", result > 0, result > 0 ? number : 0);
    number = 0;
    result = EVP_PKEY_CTX_get_rsa_pss_saltlen(ctx, &number);
    tell("EVP_PKEY_CTX_get_rsa_pss_saltlen", "%d %d", result > 0, number);
    md = NULL;
    result = EVP_PKEY_CTX_get_rsa_mgf1_md(ctx, &md);
    tell("EVP_PKEY_CTX_get_rsa_mgf1_md", "%d %s", result > 0, md ? EVP_MD_get0_name(md) : "");
    result = EVP_PKEY_CTX_get_rsa_mgf1_md_name(ctx, name, sizeof(name));
    tell("EVP_PKEY_CTX_get_rsa_mgf1_md_name", "%d %s", result > 0, name);
    OSSL_PARAM none = OSSL_PARAM_construct_end();
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", digest, sizeof(digest)), none };
    result = EVP_PKEY_CTX_get_params(ctx, params);
    tell("EVP_PKEY_CTX_get_params digest", "%d %s", result, digest);
    params[0] = OSSL_PARAM_construct_utf8_string("pad-mode", padding, sizeof(padding));
    result = EVP_PKEY_CTX_get_params(ctx, params);
    tell("EVP_PKEY_CTX_get_params pad-mode", "%d %s", result, padding);
    params[0] = OSSL_PARAM_construct_utf8_string("saltlen", salt, sizeof(salt));
    result = EVP_PKEY_CTX_get_params(ctx, params);
    tell("EVP_PKEY_CTX_get_params saltlen", "%d %s", result, salt);
}

static void settings_of_signatures(const struct subject *subject)
{
    const int paddings[] = { 0, RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, RSA_NO_PADDING, RSA_X931_PADDING, RSA_PKCS1_OAEP_PADDING };
    const int salts[] = { RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_AUTO, RSA_PSS_SALTLEN_MAX, -4, -5, 0, 20, 32, 222, 223, 100000 };
    for (size_t i = 0; i < sizeof(paddings) / sizeof(*paddings); i++) {
        EVP_PKEY_CTX *ctx = with_key(subject);
        EVP_PKEY_sign_init(ctx);
        tell_names("EVP_PKEY_CTX_gettable_params sign", EVP_PKEY_CTX_gettable_params(ctx));
        tell_names("EVP_PKEY_CTX_settable_params sign", EVP_PKEY_CTX_settable_params(ctx));
        told_of_signature(ctx);
        if (paddings[i] != 0)
            tell("EVP_PKEY_CTX_set_rsa_padding sign", "%d %d", paddings[i], EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[i]) > 0);
        tell("EVP_PKEY_CTX_set_signature_md", "%d", EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha384()) > 0);
        told_of_signature(ctx);
        tell("EVP_PKEY_CTX_set_rsa_mgf1_md", "%d", EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha512()) > 0);
        told_of_signature(ctx);
        tell("EVP_PKEY_CTX_set_rsa_mgf1_md_name", "%d", EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, "SHA2-256", NULL) > 0);
        told_of_signature(ctx);
        EVP_PKEY_CTX_free(ctx);
    }
    EVP_PKEY_CTX *ctx = with_key(subject);
    EVP_PKEY_sign_init(ctx);
    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
    for (size_t i = 0; i < sizeof(salts) / sizeof(*salts); i++) {
        tell("EVP_PKEY_CTX_set_rsa_pss_saltlen", "%d %d", salts[i], EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salts[i]) > 0);
        told_of_signature(ctx);
    }
    const char *const given[][2] = { { "rsa_padding_mode", "pss" }, { "rsa_pss_saltlen", "max" }, { "rsa_pss_saltlen", "17" },
        { "digest", "SHA3-256" }, { "rsa_mgf1_md", "SHA1" }, { "digest", "MD5" }, { "rsa_padding_mode", "x931" }, { "nothing", "7" } };
    for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
        tell("EVP_PKEY_CTX_ctrl_str sign", "%s:%s %d", given[i][0], given[i][1], EVP_PKEY_CTX_ctrl_str(ctx, given[i][0], given[i][1]) > 0);
        told_of_signature(ctx);
    }
    tell("EVP_PKEY_CTX_md", "%d", EVP_PKEY_CTX_md(ctx, EVP_PKEY_OP_SIGN, EVP_PKEY_CTRL_MD, "SHA512") > 0);
    told_of_signature(ctx);
    tell("EVP_PKEY_CTX_ctrl", "%d",
        EVP_PKEY_CTX_ctrl(ctx, -1, EVP_PKEY_OP_SIGN, EVP_PKEY_CTRL_RSA_PADDING, RSA_PKCS1_PSS_PADDING, NULL) > 0);
    tell("EVP_PKEY_CTX_ctrl_uint64", "%d", EVP_PKEY_CTX_ctrl_uint64(ctx, -1, EVP_PKEY_OP_SIGN, EVP_PKEY_CTRL_RSA_PSS_SALTLEN, 20) > 0);
    OSSL_PARAM bad[] = { OSSL_PARAM_construct_utf8_string("digest", "MD5", 0), OSSL_PARAM_construct_end() };
    tell("EVP_PKEY_CTX_set_params", "%d", EVP_PKEY_CTX_set_params(ctx, bad) > 0);
    EVP_PKEY_CTX_free(ctx);
}

static void signatures(const struct subject *subject)
{
    unsigned char signature[1024], recovered[1024], digest[32] = "of a message";
    const int paddings[] = { 0, RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING };
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY_CTX *ctx = with_key(subject), *check = with_theirs();
        size_t len = sizeof(signature), most = 0;
        tell("EVP_PKEY_sign_init", "%d", EVP_PKEY_sign_init(ctx) > 0);
        EVP_PKEY_verify_init(check);
        if (paddings[i] != 0) {
            EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[i]);
            EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
            EVP_PKEY_CTX_set_rsa_padding(check, paddings[i]);
            EVP_PKEY_CTX_set_signature_md(check, EVP_sha256());
        }
        tell("EVP_PKEY_sign without a buffer", "%d %zu", EVP_PKEY_sign(ctx, NULL, &most, digest, 32), most);
        int signed_ = EVP_PKEY_sign(ctx, signature, &len, digest, 32);
        tell("EVP_PKEY_sign", "%d %d %d", signed_, len <= most, signed_ > 0 && EVP_PKEY_verify(check, signature, len, digest, 32));
        tell("EVP_PKEY_verify_init", "%d", EVP_PKEY_verify_init(ctx) > 0);
        tell("EVP_PKEY_verify_init_ex", "%d", EVP_PKEY_verify_init_ex(ctx, NULL) > 0);
        if (paddings[i] != 0) {
            EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[i]);
            EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
        }
        tell("EVP_PKEY_verify", "%d", signed_ > 0 && EVP_PKEY_verify(ctx, signature, len, digest, 32) > 0);
        digest[0] ^= 1;
        tell("EVP_PKEY_verify of another digest", "%d", signed_ > 0 && EVP_PKEY_verify(ctx, signature, len, digest, 32) > 0);
        digest[0] ^= 1;
        tell("EVP_PKEY_verify_recover_init", "%d", EVP_PKEY_verify_recover_init(ctx) > 0);
        tell("EVP_PKEY_verify_recover_init_ex", "%d", EVP_PKEY_verify_recover_init_ex(ctx, NULL) > 0);
        most = sizeof(recovered);
        int result = signed_ > 0 && paddings[i] != RSA_PKCS1_PSS_PADDING ? EVP_PKEY_verify_recover(ctx, recovered, &most, signature, len) : 0;
        tell_bytes("EVP_PKEY_verify_recover", result, recovered, most);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_CTX_free(check);
    }
}

static void told_of_encryption(EVP_PKEY_CTX *ctx)
{
    const EVP_MD *md = NULL, *mask = NULL;
    char name[64] = "", mask_name[64] = "";
    unsigned char *label = NULL;
    int number = 0, result = EVP_PKEY_CTX_get_rsa_padding(ctx, &number);
    tell("EVP_PKEY_CTX_get_rsa_padding", "%d %d", result > 0, result > 0 ? number : 0);
    result = EVP_PKEY_CTX_get_rsa_oaep_md(ctx, &md);
    tell("EVP_PKEY_CTX_get_rsa_oaep_md", "%d %s", result > 0, md ? EVP_MD_get0_name(md) : "");
    result = EVP_PKEY_CTX_get_rsa_oaep_md_name(ctx, name, sizeof(name));
    tell("EVP_PKEY_CTX_get_rsa_oaep_md_name", "%d %s", result > 0, name);
    result = EVP_PKEY_CTX_get_rsa_mgf1_md(ctx, &mask);
    tell("EVP_PKEY_CTX_get_rsa_mgf1_md", "%d %s", result > 0, mask ? EVP_MD_get0_name(mask) : "");
    result = EVP_PKEY_CTX_get_rsa_mgf1_md_name(ctx, mask_name, sizeof(mask_name));
    tell("EVP_PKEY_CTX_get_rsa_mgf1_md_name", "%d %s", result > 0, mask_name);
    result = EVP_PKEY_CTX_get0_rsa_oaep_label(ctx, &label);
    tell_bytes("EVP_PKEY_CTX_get0_rsa_oaep_label", result, label, result > 0 ? (size_t)result : 0);
}

static void encryption(const struct subject *subject)
{
    const int paddings[] = { RSA_PKCS1_PADDING, RSA_PKCS1_OAEP_PADDING, RSA_X931_PADDING, RSA_PKCS1_PSS_PADDING };
    unsigned char encrypted[1024], decrypted[1024];
    for (size_t i = 0; i < sizeof(paddings) / sizeof(*paddings); i++) {
        EVP_PKEY_CTX *ctx = with_key(subject), *check = with_theirs();
        size_t len = sizeof(encrypted), most = 0, short_ = 0;
        tell("EVP_PKEY_decrypt_init", "%d", EVP_PKEY_decrypt_init(ctx) > 0);
        tell("EVP_PKEY_decrypt_init_ex", "%d", EVP_PKEY_decrypt_init_ex(ctx, NULL) > 0);
        tell_names("EVP_PKEY_CTX_gettable_params decrypt", EVP_PKEY_CTX_gettable_params(ctx));
        tell_names("EVP_PKEY_CTX_settable_params decrypt", EVP_PKEY_CTX_settable_params(ctx));
        told_of_encryption(ctx);
        tell("EVP_PKEY_CTX_set_rsa_padding decrypt", "%d %d", paddings[i], EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[i]) > 0);
        told_of_encryption(ctx);
        tell("EVP_PKEY_CTX_set_rsa_oaep_md", "%d", EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha384()) > 0);
        told_of_encryption(ctx);
        tell("EVP_PKEY_CTX_set_rsa_oaep_md_name", "%d", EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, "SHA2-256", NULL) > 0);
        tell("EVP_PKEY_CTX_set_rsa_mgf1_md", "%d", EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha1()) > 0);
        tell("EVP_PKEY_CTX_set0_rsa_oaep_label", "%d", EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_strdup("label"), 5) > 0);
        told_of_encryption(ctx);
        tell("EVP_PKEY_CTX_ctrl_str decrypt", "%d", EVP_PKEY_CTX_ctrl_str(ctx, "rsa_oaep_label", "010203") > 0);
        told_of_encryption(ctx);
        EVP_PKEY_decrypt_init(ctx);
        EVP_PKEY_encrypt_init(check);
        EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[i]);
        EVP_PKEY_CTX_set_rsa_padding(check, paddings[i]);
        int made = EVP_PKEY_encrypt(check, encrypted, &len, (const unsigned char *)"hello", 5);
        tell("EVP_PKEY_decrypt without a buffer", "%d %zu", made > 0 ? EVP_PKEY_decrypt(ctx, NULL, &most, encrypted, len) : 0, most);
        most = sizeof(decrypted);
        int result = made > 0 ? EVP_PKEY_decrypt(ctx, decrypted, &most, encrypted, len) : 0;
        tell_bytes("EVP_PKEY_decrypt", result, decrypted, most);
        tell("EVP_PKEY_encrypt_init", "%d", EVP_PKEY_encrypt_init(ctx) > 0);
        tell("EVP_PKEY_encrypt_init_ex", "%d", EVP_PKEY_encrypt_init_ex(ctx, NULL) > 0);
        EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[i]);
        len = sizeof(encrypted);
        result = EVP_PKEY_encrypt(ctx, encrypted, &len, (const unsigned char *)"hello", 5);
        tell("EVP_PKEY_encrypt", "%d %zu", result > 0, result > 0 ? len : 0);
        result = EVP_PKEY_encrypt(ctx, encrypted, &short_, (const unsigned char *)"hello", 5);
        tell("EVP_PKEY_encrypt into nothing", "%d", result > 0);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_CTX_free(check);
    }
    tell("EVP_PKEY_encrypt_old", "%d", EVP_PKEY_encrypt_old(encrypted, (const unsigned char *)"hello", 5, subject->key) > 0);
    tell("EVP_PKEY_decrypt_old", "%d", EVP_PKEY_decrypt_old(decrypted, encrypted, EVP_PKEY_get_size(subject->key), subject->key) > 0);
}

static void encapsulation(const struct subject *subject)
{
    EVP_PKEY_CTX *ctx = with_key(subject);
    unsigned char wrapped[1024], secret[1024];
    size_t wrapped_len = sizeof(wrapped), secret_len = sizeof(secret);
    tell("EVP_PKEY_encapsulate_init", "%d", EVP_PKEY_encapsulate_init(ctx, NULL) > 0);
    tell("EVP_PKEY_CTX_set_kem_op", "%d", EVP_PKEY_CTX_set_kem_op(ctx, "RSASVE") > 0);
    int result = EVP_PKEY_encapsulate(ctx, wrapped, &wrapped_len, secret, &secret_len);
    tell("EVP_PKEY_encapsulate", "%d", result > 0);
    tell("EVP_PKEY_decapsulate_init", "%d", EVP_PKEY_decapsulate_init(ctx, NULL) > 0);
    EVP_PKEY_CTX_set_kem_op(ctx, "RSASVE");
    tell("EVP_PKEY_decapsulate", "%d", result > 0 && EVP_PKEY_decapsulate(ctx, secret, &secret_len, wrapped, wrapped_len) > 0);
    EVP_PKEY_CTX_free(ctx);
}

static void told_of_derivation(EVP_PKEY_CTX *ctx)
{
    const EVP_MD *md = NULL;
    unsigned char *ukm = NULL;
    int number = 0, result;
    tell("EVP_PKEY_CTX_get_ecdh_cofactor_mode", "%d", EVP_PKEY_CTX_get_ecdh_cofactor_mode(ctx));
    tell("EVP_PKEY_CTX_get_ecdh_kdf_type", "%d", EVP_PKEY_CTX_get_ecdh_kdf_type(ctx));
    result = EVP_PKEY_CTX_get_ecdh_kdf_md(ctx, &md);
    tell("EVP_PKEY_CTX_get_ecdh_kdf_md", "%d %s", result, md ? EVP_MD_get0_name(md) : "");
    result = EVP_PKEY_CTX_get_ecdh_kdf_outlen(ctx, &number);
    tell("EVP_PKEY_CTX_get_ecdh_kdf_outlen", "%d %d", result, number);
    result = EVP_PKEY_CTX_get0_ecdh_kdf_ukm(ctx, &ukm);
    tell_bytes("EVP_PKEY_CTX_get0_ecdh_kdf_ukm", result, ukm, result > 0 ? (size_t)result : 0);
}

static void derivation(const struct subject *subject)
{
    EVP_PKEY_CTX *ctx = with_key(subject);
    unsigned char secret[1024];
    size_t len = 0;
    tell("EVP_PKEY_derive_init", "%d", EVP_PKEY_derive_init(ctx) > 0);
    tell("EVP_PKEY_derive_init_ex", "%d", EVP_PKEY_derive_init_ex(ctx, NULL) > 0);
    tell_names("EVP_PKEY_CTX_gettable_params derive", EVP_PKEY_CTX_gettable_params(ctx));
    tell_names("EVP_PKEY_CTX_settable_params derive", EVP_PKEY_CTX_settable_params(ctx));
    told_of_derivation(ctx);
    tell("EVP_PKEY_derive without a peer", "%d", EVP_PKEY_derive(ctx, secret, &len) > 0);
    tell("EVP_PKEY_derive_set_peer_ex", "%d", EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) > 0);
    tell("EVP_PKEY_derive_set_peer", "%d", EVP_PKEY_derive_set_peer(ctx, peer) > 0);
    tell("EVP_PKEY_CTX_get0_peerkey", "%d", EVP_PKEY_CTX_get0_peerkey(ctx) != NULL);
    tell("EVP_PKEY_derive without a buffer", "%d %zu", EVP_PKEY_derive(ctx, NULL, &len) > 0, len);
    len = sizeof(secret);
    int result = EVP_PKEY_derive(ctx, secret, &len);
    tell_bytes("EVP_PKEY_derive", result, secret, len);
    tell("EVP_PKEY_CTX_set_ecdh_cofactor_mode", "%d", EVP_PKEY_CTX_set_ecdh_cofactor_mode(ctx, 1) > 0);
    tell("EVP_PKEY_CTX_set_ecdh_cofactor_mode", "7 %d", EVP_PKEY_CTX_set_ecdh_cofactor_mode(ctx, 7) > 0);
    tell("EVP_PKEY_CTX_set_ecdh_kdf_type", "%d", EVP_PKEY_CTX_set_ecdh_kdf_type(ctx, EVP_PKEY_ECDH_KDF_X9_63) > 0);
    tell("EVP_PKEY_CTX_set_ecdh_kdf_md", "%d", EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) > 0);
    tell("EVP_PKEY_CTX_set_ecdh_kdf_outlen", "%d", EVP_PKEY_CTX_set_ecdh_kdf_outlen(ctx, 20) > 0);
    tell("EVP_PKEY_CTX_set0_ecdh_kdf_ukm", "%d", EVP_PKEY_CTX_set0_ecdh_kdf_ukm(ctx, (unsigned char *)OPENSSL_strdup("ukm"), 3) > 0);
    told_of_derivation(ctx);
    len = sizeof(secret);
    result = EVP_PKEY_derive(ctx, secret, &len);
    tell_bytes("EVP_PKEY_derive with X9.63", result, secret, len);
    EVP_PKEY_CTX_free(ctx);
}

static void settings_of_generation(const struct subject *subject)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(libctx, EVP_PKEY_get0_type_name(subject->key), subject->properties);
    EVP_PKEY *made = NULL;
    char group[64] = "";
    BIGNUM *exponent = BN_new();
    BN_set_word(exponent, 65537);
    tell("EVP_PKEY_CTX_new_from_name", "%d", ctx != NULL);
    tell("EVP_PKEY_paramgen_init", "%d", EVP_PKEY_paramgen_init(ctx) > 0);
    tell("EVP_PKEY_CTX_set_ec_paramgen_curve_nid", "%d", EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_secp384r1) > 0);
    tell("EVP_PKEY_paramgen", "%d", EVP_PKEY_paramgen(ctx, &made) > 0);
    EVP_PKEY_free(made);
    made = NULL;
    tell("EVP_PKEY_keygen_init", "%d", EVP_PKEY_keygen_init(ctx) > 0);
    tell("EVP_PKEY_CTX_set_group_name", "%d", EVP_PKEY_CTX_set_group_name(ctx, "P-256") > 0);
    tell("EVP_PKEY_CTX_set_group_name", "none %d", EVP_PKEY_CTX_set_group_name(ctx, "none") > 0);
    int result = EVP_PKEY_CTX_get_group_name(ctx, group, sizeof(group));
    tell("EVP_PKEY_CTX_get_group_name", "%d %s", result > 0, result > 0 ? group : "");
    tell("EVP_PKEY_CTX_set_ec_param_enc", "%d", EVP_PKEY_CTX_set_ec_param_enc(ctx, OPENSSL_EC_NAMED_CURVE) > 0);
    tell("EVP_PKEY_CTX_set_ec_param_enc explicit", "%d", EVP_PKEY_CTX_set_ec_param_enc(ctx, OPENSSL_EC_EXPLICIT_CURVE) > 0);
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_group_name(ctx, "P-256");
    tell("EVP_PKEY_CTX_set_rsa_keygen_bits", "%d", EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) > 0);
    tell("EVP_PKEY_CTX_set_rsa_keygen_primes", "%d", EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, 2) > 0);
    tell("EVP_PKEY_CTX_set1_rsa_keygen_pubexp", "%d", EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, exponent) > 0);
    tell("EVP_PKEY_CTX_set_rsa_keygen_pubexp", "%d", EVP_PKEY_CTX_set_rsa_keygen_pubexp(ctx, BN_dup(exponent)) > 0);
    tell("EVP_PKEY_keygen", "%d", EVP_PKEY_keygen(ctx, &made) > 0);
    EVP_PKEY_free(made);
    made = NULL;
    tell("EVP_PKEY_CTX_set_rsa_pss_keygen_md", "%d", EVP_PKEY_CTX_set_rsa_pss_keygen_md(ctx, EVP_sha384()) > 0);
    tell("EVP_PKEY_CTX_set_rsa_pss_keygen_md_name", "%d", EVP_PKEY_CTX_set_rsa_pss_keygen_md_name(ctx, "SHA256", NULL) > 0);
    tell("EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md", "%d", EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(ctx, EVP_sha384()) > 0);
    tell("EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md_name", "%d", EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md_name(ctx, "SHA256") > 0);
    tell("EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen", "%d", EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(ctx, 32) > 0);
    tell_names("EVP_PKEY_CTX_settable_params keygen", NULL);
    tell("EVP_PKEY_generate", "%d", EVP_PKEY_generate(ctx, &made) > 0);
    EVP_PKEY_free(made);
    made = NULL;
    EVP_PKEY_keygen_init(ctx);
    tell("EVP_PKEY_CTX_set_rsa_keygen_primes", "3 %d", EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, 3) > 0);
    BN_set_word(exponent, 3);
    tell("EVP_PKEY_CTX_set1_rsa_keygen_pubexp", "3 %d", EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, exponent) > 0);
    EVP_PKEY_CTX_free(ctx);
    BN_free(exponent);
    const char *name = EVP_PKEY_get0_type_name(subject->key);
    made = strncmp(name, "RSA", 3) == 0   ? EVP_PKEY_Q_keygen(libctx, subject->properties, name, (size_t)2048)
           : strcmp(name, "EC") == 0 ? EVP_PKEY_Q_keygen(libctx, subject->properties, name, "P-256")
                                     : EVP_PKEY_Q_keygen(libctx, subject->properties, name);
    tell("EVP_PKEY_Q_keygen", "%d", made != NULL);
    EVP_PKEY_free(made);
}

const struct family contexts[] = {
    { "contexts", what_all_have }, { "signature settings", settings_of_signatures }, { "signatures", signatures },
    { "encryption", encryption }, { "encapsulation", encapsulation }, { "derivation", derivation },
    { "generation", settings_of_generation }, { NULL, NULL },
};
