/* Functions of what is written and read. */

static void ignore(const char *name, void *data)
{
    (void)name;
    ++*(int *)data;
}

static void count_encoder(OSSL_ENCODER *encoder, void *counter)
{
    *(int *)counter += OSSL_ENCODER_get0_provider(encoder) != NULL;
}

static void count_decoder(OSSL_DECODER *decoder, void *counter)
{
    *(int *)counter += OSSL_DECODER_get0_provider(decoder) != NULL;
}

static void count_loader(OSSL_STORE_LOADER *loader, void *counter)
{
    *(int *)counter += OSSL_STORE_LOADER_get0_provider(loader) != NULL;
}

static void encoders(const struct subject *subject)
{
    const char *name = EVP_PKEY_get0_type_name(subject->key);
    char properties[128];
    int counted = 0;
    OSSL_PARAM none[] = { OSSL_PARAM_construct_end() };
    OSSL_ENCODER_do_all_provided(libctx, count_encoder, &counted);
    snprintf(properties, sizeof(properties), "%s,output=der,structure=PrivateKeyInfo", subject->properties);
    OSSL_ENCODER *encoder = OSSL_ENCODER_fetch(libctx, name, properties);
    tell("OSSL_ENCODER_fetch", "%d", encoder != NULL);
    if (encoder == NULL)
        return;
    tell("OSSL_ENCODER_is_a", "%d", OSSL_ENCODER_is_a(encoder, name));
    tell("OSSL_ENCODER_get0_name", "%s", OSSL_ENCODER_get0_name(encoder));
    (void)OSSL_ENCODER_get0_description(encoder);
    tell("OSSL_ENCODER_get0_properties", "%d", OSSL_ENCODER_get0_properties(encoder) != NULL);
    counted = 0;
    OSSL_ENCODER_names_do_all(encoder, ignore, &counted);
    tell("OSSL_ENCODER_names_do_all", "%d", counted);
    tell("OSSL_ENCODER_get_params", "%d", OSSL_ENCODER_get_params(encoder, none));
    tell_names("OSSL_ENCODER_gettable_params", OSSL_ENCODER_gettable_params(encoder));
    tell("OSSL_ENCODER_up_ref", "%d", OSSL_ENCODER_up_ref(encoder));
    OSSL_ENCODER_free(encoder);
    OSSL_ENCODER_free(encoder);
}

static int password(char *buffer, size_t size, size_t *len, const OSSL_PARAM params[], void *data)
{
    (void)params, (void)data;
    *len = 6;
    return size >= 6 && memcpy(buffer, "secret", 6) != NULL;
}

static int pem_password(char *buffer, int size, int writing, void *data)
{
    (void)writing, (void)data;
    return size >= 6 && memcpy(buffer, "secret", 6) != NULL ? 6 : -1;
}

/* Whatever of a key in every format, and read again. */
static void written(const struct subject *subject)
{
    const struct { const char *name; int selection; } selections[] = {
        { "parameters", EVP_PKEY_KEY_PARAMETERS }, { "public", EVP_PKEY_PUBLIC_KEY }, { "pair", EVP_PKEY_KEYPAIR },
    };
    const char *const outputs[] = { "DER", "PEM", "TEXT" };
    const char *const structures[] = { NULL, "PrivateKeyInfo", "SubjectPublicKeyInfo", "type-specific", "pkcs1", "EncryptedPrivateKeyInfo" };
    char asked[128];
    for (size_t i = 0; i < 3 * 3 * 6; i++) {
        const char *output = outputs[i / 6 % 3], *structure = structures[i % 6];
        unsigned char *data = NULL;
        size_t len = 0;
        OSSL_ENCODER_CTX *ctx
            = OSSL_ENCODER_CTX_new_for_pkey(subject->key, selections[i / 18].selection, output, structure, NULL);
        snprintf(asked, sizeof(asked), "OSSL_ENCODER_to_data %s %s %s", selections[i / 18].name, output, structure ? structure : "any");
        int result = ctx != NULL && OSSL_ENCODER_CTX_get_num_encoders(ctx) > 0 && OSSL_ENCODER_to_data(ctx, &data, &len);
        tell(asked, "%d %d", result, len > 0);
        OSSL_ENCODER_CTX_free(ctx);
        if (strcmp(output, "TEXT") != 0) {
            EVP_PKEY *read = NULL;
            const unsigned char *at = data;
            OSSL_DECODER_CTX *decoder = OSSL_DECODER_CTX_new_for_pkey(&read, output, NULL, NULL, selections[i / 18].selection, libctx, NULL);
            int again = result && OSSL_DECODER_CTX_get_num_decoders(decoder) > 0 && OSSL_DECODER_from_data(decoder, &at, &len);
            tell(asked, "read again %d %d", again, again && EVP_PKEY_eq(read, subject->key));
            OSSL_DECODER_CTX_free(decoder);
            EVP_PKEY_free(read);
        }
        OPENSSL_free(data);
    }
}

/* By the functions that programs know from before OpenSSL 3. */
static void written_as_ever(const struct subject *subject)
{
    EVP_PKEY *key = subject->key;
    const char *name = EVP_PKEY_get0_type_name(key);
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char *der = NULL;
    int len = i2d_PrivateKey(key, &der);
    const unsigned char *at = der;
    tell("i2d_PrivateKey", "%d", len > 0);
    EVP_PKEY *read = len > 0 ? d2i_AutoPrivateKey_ex(NULL, &at, len, libctx, NULL) : NULL;
    tell("d2i_AutoPrivateKey_ex", "%d", read != NULL && EVP_PKEY_eq(read, key));
    EVP_PKEY_free(read);
    at = der;
    read = len > 0 ? d2i_PrivateKey_ex(EVP_PKEY_get_id(key), NULL, &at, len, libctx, NULL) : NULL;
    tell("d2i_PrivateKey_ex", "%s %d", name, read != NULL && EVP_PKEY_eq(read, key));
    EVP_PKEY_free(read);
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    tell("EVP_PKEY2PKCS8", "%d", info != NULL);
    read = info != NULL ? EVP_PKCS82PKEY_ex(info, libctx, NULL) : NULL;
    tell("EVP_PKCS82PKEY_ex", "%d", read != NULL && EVP_PKEY_eq(read, key));
    EVP_PKEY_free(read);
    PKCS8_PRIV_KEY_INFO_free(info);
    tell("PEM_write_bio_PrivateKey", "%d", PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    tell("PEM_write_bio_PKCS8PrivateKey", "%d", PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    tell("i2d_PKCS8PrivateKey_bio", "%d", i2d_PKCS8PrivateKey_bio(bio, key, NULL, NULL, 0, NULL, NULL));
    tell("PEM_write_bio_PrivateKey_traditional", "%d", PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL));
    tell("PEM_write_bio_PUBKEY", "%d", PEM_write_bio_PUBKEY(bio, key));
    tell("i2d_PUBKEY", "%d", i2d_PUBKEY(key, NULL));
    tell("i2d_PublicKey", "%d", i2d_PublicKey(key, NULL));
    BIO_free(bio);
}

static void settings_of_encoders(const struct subject *subject)
{
    FILE *nowhere = fopen("/dev/null", "w");
    BIO *bio = BIO_new(BIO_s_mem());
    OSSL_PARAM none[] = { OSSL_PARAM_construct_end() };
    OSSL_ENCODER_CTX *ctx = OSSL_ENCODER_CTX_new_for_pkey(subject->key, EVP_PKEY_KEYPAIR, "PEM", "PrivateKeyInfo", NULL);
    tell("OSSL_ENCODER_CTX_set_params", "%d", OSSL_ENCODER_CTX_set_params(ctx, none));
    tell("OSSL_ENCODER_CTX_set_passphrase", "%d", OSSL_ENCODER_CTX_set_passphrase(ctx, (const unsigned char *)"secret", 6));
    tell("OSSL_ENCODER_CTX_set_passphrase_cb", "%d", OSSL_ENCODER_CTX_set_passphrase_cb(ctx, password, NULL));
    tell("OSSL_ENCODER_CTX_set_passphrase_ui", "%d", OSSL_ENCODER_CTX_set_passphrase_ui(ctx, UI_OpenSSL(), NULL));
    tell("OSSL_ENCODER_CTX_set_pem_password_cb", "%d", OSSL_ENCODER_CTX_set_pem_password_cb(ctx, pem_password, NULL));
    tell("OSSL_ENCODER_CTX_set_selection", "%d", OSSL_ENCODER_CTX_set_selection(ctx, EVP_PKEY_KEYPAIR));
    tell("OSSL_ENCODER_CTX_set_output_type", "%d", OSSL_ENCODER_CTX_set_output_type(ctx, "PEM"));
    tell("OSSL_ENCODER_CTX_set_output_structure", "%d", OSSL_ENCODER_CTX_set_output_structure(ctx, "PrivateKeyInfo"));
    tell("OSSL_ENCODER_CTX_add_extra", "%d", OSSL_ENCODER_CTX_add_extra(ctx, libctx, NULL));
    tell("OSSL_ENCODER_to_bio", "%d", OSSL_ENCODER_to_bio(ctx, bio));
    tell("OSSL_ENCODER_to_fp", "%d", OSSL_ENCODER_to_fp(ctx, nowhere));
    tell("OSSL_ENCODER_CTX_set_cipher", "%d", OSSL_ENCODER_CTX_set_cipher(ctx, "AES-256-CBC", NULL));
    tell("OSSL_ENCODER_to_bio with a cipher", "%d", OSSL_ENCODER_to_bio(ctx, bio));
    OSSL_ENCODER_CTX_free(ctx);
    BIO_free(bio);
    fclose(nowhere);
}

static void decoders(const struct subject *subject)
{
    const char *name = EVP_PKEY_get0_type_name(subject->key);
    char properties[128];
    int counted = 0;
    OSSL_PARAM none[] = { OSSL_PARAM_construct_end() };
    OSSL_DECODER_do_all_provided(libctx, count_decoder, &counted);
    snprintf(properties, sizeof(properties), "%s,input=der,structure=PrivateKeyInfo", subject->properties);
    OSSL_DECODER *decoder = OSSL_DECODER_fetch(libctx, name, properties);
    tell("OSSL_DECODER_fetch", "%d", decoder != NULL);
    if (decoder == NULL)
        return;
    tell("OSSL_DECODER_is_a", "%d", OSSL_DECODER_is_a(decoder, name));
    tell("OSSL_DECODER_get0_name", "%s", OSSL_DECODER_get0_name(decoder));
    (void)OSSL_DECODER_get0_description(decoder);
    tell("OSSL_DECODER_get0_properties", "%d", OSSL_DECODER_get0_properties(decoder) != NULL);
    counted = 0;
    OSSL_DECODER_names_do_all(decoder, ignore, &counted);
    tell("OSSL_DECODER_names_do_all", "%d", counted);
    tell("OSSL_DECODER_get_params", "%d", OSSL_DECODER_get_params(decoder, none));
    tell_names("OSSL_DECODER_gettable_params", OSSL_DECODER_gettable_params(decoder));
    tell_names("OSSL_DECODER_settable_ctx_params", OSSL_DECODER_settable_ctx_params(decoder));
    tell("OSSL_DECODER_up_ref", "%d", OSSL_DECODER_up_ref(decoder));
    OSSL_DECODER_free(decoder);
    OSSL_DECODER_free(decoder);
}

static void settings_of_decoders(const struct subject *subject)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM none[] = { OSSL_PARAM_construct_end() };
    OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL, EVP_PKEY_KEYPAIR, libctx, NULL);
    BIO *bio = BIO_new_file(subject->file, "r");
    FILE *file = fopen(subject->file, "r");
    tell("OSSL_DECODER_CTX_set_params", "%d", OSSL_DECODER_CTX_set_params(ctx, none));
    tell("OSSL_DECODER_CTX_set_passphrase", "%d", OSSL_DECODER_CTX_set_passphrase(ctx, (const unsigned char *)"secret", 6));
    tell("OSSL_DECODER_CTX_set_passphrase_cb", "%d", OSSL_DECODER_CTX_set_passphrase_cb(ctx, password, NULL));
    tell("OSSL_DECODER_CTX_set_passphrase_ui", "%d", OSSL_DECODER_CTX_set_passphrase_ui(ctx, UI_OpenSSL(), NULL));
    tell("OSSL_DECODER_CTX_set_pem_password_cb", "%d", OSSL_DECODER_CTX_set_pem_password_cb(ctx, pem_password, NULL));
    tell("OSSL_DECODER_CTX_set_selection", "%d", OSSL_DECODER_CTX_set_selection(ctx, EVP_PKEY_KEYPAIR));
    tell("OSSL_DECODER_CTX_set_input_type", "%d", OSSL_DECODER_CTX_set_input_type(ctx, "PEM"));
    tell("OSSL_DECODER_CTX_add_extra", "%d", OSSL_DECODER_CTX_add_extra(ctx, libctx, NULL));
    tell("OSSL_DECODER_from_bio", "%d %d", OSSL_DECODER_from_bio(ctx, bio), key != NULL);
    EVP_PKEY_free(key);
    key = NULL;
    tell("OSSL_DECODER_from_fp", "%d %d", OSSL_DECODER_from_fp(ctx, file), key != NULL);
    EVP_PKEY_free(key);
    key = NULL;
    tell("OSSL_DECODER_CTX_set_input_structure", "%d", OSSL_DECODER_CTX_set_input_structure(ctx, "none"));
    tell("OSSL_DECODER_CTX_get_construct", "%d", OSSL_DECODER_CTX_get_construct(ctx) != NULL);
    tell("OSSL_DECODER_CTX_get_construct_data", "%d", OSSL_DECODER_CTX_get_construct_data(ctx) != NULL);
    tell("OSSL_DECODER_CTX_get_cleanup", "%d", OSSL_DECODER_CTX_get_cleanup(ctx) != NULL);
    EVP_PKEY_free(key);
    OSSL_DECODER_CTX_free(ctx);
    BIO_free(bio);
    fclose(file);
}

static void loaders(const struct subject *subject)
{
    const char *scheme = strcmp(subject->uri, subject->file) == 0 ? "file" : "parsec";
    int counted = 0;
    OSSL_STORE_LOADER_do_all_provided(libctx, count_loader, &counted);
    OSSL_STORE_LOADER *loader = OSSL_STORE_LOADER_fetch(libctx, scheme, subject->properties);
    tell("OSSL_STORE_LOADER_fetch", "%d", loader != NULL);
    if (loader == NULL)
        return;
    tell("OSSL_STORE_LOADER_is_a", "%d", OSSL_STORE_LOADER_is_a(loader, scheme));
    (void)OSSL_STORE_LOADER_get0_description(loader);
    tell("OSSL_STORE_LOADER_get0_properties", "%d", OSSL_STORE_LOADER_get0_properties(loader) != NULL);
    counted = 0;
    OSSL_STORE_LOADER_names_do_all(loader, ignore, &counted);
    tell("OSSL_STORE_LOADER_names_do_all", "%d", counted);
    tell("OSSL_STORE_LOADER_up_ref", "%d", OSSL_STORE_LOADER_up_ref(loader));
    OSSL_STORE_LOADER_free(loader);
    OSSL_STORE_LOADER_free(loader);
}

static void stored(const struct subject *subject)
{
    const int expected[] = { 0, OSSL_STORE_INFO_PKEY, OSSL_STORE_INFO_CERT, OSSL_STORE_INFO_PARAMS, OSSL_STORE_INFO_CRL };
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        OSSL_STORE_CTX *store = OSSL_STORE_open_ex(subject->uri, libctx, NULL, NULL, NULL, NULL, NULL, NULL);
        tell("OSSL_STORE_open_ex", "%d", store != NULL);
        tell("OSSL_STORE_supports_search", "%d", OSSL_STORE_supports_search(store, OSSL_STORE_SEARCH_BY_NAME));
        tell("OSSL_STORE_expect", "%d", OSSL_STORE_expect(store, expected[i]));
        int objects = 0;
        while (!OSSL_STORE_eof(store) && objects < 10) {
            OSSL_STORE_INFO *info = OSSL_STORE_load(store);
            if (info == NULL)
                break;
            objects++;
            EVP_PKEY *key = OSSL_STORE_INFO_get1_PKEY(info), *public = OSSL_STORE_INFO_get1_PUBKEY(info);
            tell("OSSL_STORE_INFO_get_type", "%d %s", OSSL_STORE_INFO_get_type(info), OSSL_STORE_INFO_type_string(OSSL_STORE_INFO_get_type(info)));
            tell("OSSL_STORE_INFO_get0_PKEY", "%d", OSSL_STORE_INFO_get0_PKEY(info) != NULL);
            tell("OSSL_STORE_INFO_get1_PKEY", "%d", key != NULL && EVP_PKEY_eq(key, theirs) == 1);
            tell("OSSL_STORE_INFO_get0_PUBKEY", "%d", OSSL_STORE_INFO_get0_PUBKEY(info) != NULL);
            tell("OSSL_STORE_INFO_get1_PUBKEY", "%d", public != NULL && EVP_PKEY_eq(public, theirs) == 1);
            tell("OSSL_STORE_INFO_get0_CERT", "%d", OSSL_STORE_INFO_get0_CERT(info) != NULL);
            tell("OSSL_STORE_INFO_get1_CERT", "%d", OSSL_STORE_INFO_get1_CERT(info) != NULL);
            tell("OSSL_STORE_INFO_get0_CRL", "%d", OSSL_STORE_INFO_get0_CRL(info) != NULL);
            tell("OSSL_STORE_INFO_get1_CRL", "%d", OSSL_STORE_INFO_get1_CRL(info) != NULL);
            tell("OSSL_STORE_INFO_get0_NAME", "%d", OSSL_STORE_INFO_get0_NAME(info) != NULL);
            tell("OSSL_STORE_INFO_get1_NAME", "%d", OSSL_STORE_INFO_get1_NAME(info) != NULL);
            tell("OSSL_STORE_INFO_get0_NAME_description", "%d", OSSL_STORE_INFO_get0_NAME_description(info) != NULL);
            tell("OSSL_STORE_INFO_get1_NAME_description", "%d", OSSL_STORE_INFO_get1_NAME_description(info) != NULL);
            tell("OSSL_STORE_INFO_get0_PARAMS", "%d", OSSL_STORE_INFO_get0_PARAMS(info) != NULL);
            tell("OSSL_STORE_INFO_get1_PARAMS", "%d", OSSL_STORE_INFO_get1_PARAMS(info) != NULL);
            tell("OSSL_STORE_INFO_get0_data", "%d", OSSL_STORE_INFO_get0_data(OSSL_STORE_INFO_get_type(info), info) != NULL);
            EVP_PKEY_free(key);
            EVP_PKEY_free(public);
            OSSL_STORE_INFO_free(info);
        }
        tell("OSSL_STORE_load", "%d objects of %d", objects, expected[i]);
        tell("OSSL_STORE_eof", "%d", OSSL_STORE_eof(store));
        tell("OSSL_STORE_close", "%d", OSSL_STORE_close(store));
    }
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(subject->uri, libctx, NULL, NULL, NULL, NULL, NULL, NULL);
    X509_NAME *name = X509_NAME_new();
    OSSL_STORE_SEARCH *search = OSSL_STORE_SEARCH_by_name(name);
    tell("OSSL_STORE_find", "%d", OSSL_STORE_find(store, search));
    tell("OSSL_STORE_error", "%d", OSSL_STORE_error(store));
    OSSL_STORE_SEARCH_free(search);
    X509_NAME_free(name);
    OSSL_STORE_close(store);
    BIO *bio = BIO_new_file(subject->file, "r");
    store = OSSL_STORE_attach(bio, "file", libctx, NULL, NULL, NULL, NULL, NULL, NULL);
    OSSL_STORE_INFO *info = store != NULL ? OSSL_STORE_load(store) : NULL;
    tell("OSSL_STORE_attach", "%d %d", store != NULL, info != NULL && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY);
    OSSL_STORE_INFO_free(info);
    OSSL_STORE_close(store);
    BIO_free(bio);
}

const struct family files[] = {
    { "encoders", encoders }, { "written", written }, { "written as ever", written_as_ever }, { "encoder settings", settings_of_encoders },
    { "decoders", decoders }, { "decoder settings", settings_of_decoders }, { "loaders", loaders }, { "stored", stored }, { NULL, NULL },
};
