# The software provider, against SoftHSM, upstream's service, and keys in files.
# shellcheck shell=bash disable=SC2154

softhsm=$(find /usr/lib -name libsofthsm2.so -path '*softhsm/*' | head -1)
software='provider_type = "MbedCrypto"'
service ours "$software" "$bin/parsec" serve
service upstream "$software" "$UPSTREAM_PARSEC"
export PARSEC_SERVICE_ENDPOINT=unix:$work/ours/parsec.sock

export SOFTHSM2_CONF=$work/softhsm2.conf
mkdir "$work/tokens"
echo "directories.tokendir = $work/tokens" >"$SOFTHSM2_CONF"
{
  softhsm2-util --init-token --free --label bench --so-pin 1234 --pin 1234
  for key in ec:EC:prime256v1:01 rsa:rsa:2048:02; do
    IFS=: read -r label kind size id <<<"$key"
    pkcs11-tool --module "$softhsm" --login --pin 1234 --keypairgen --key-type "$kind:$size" --label "$label" --id "$id"
    pkcs11-tool --module "$module" --keypairgen --key-type "$kind:$size" --label "$label" --id "$id"
  done
} >"$work/keys.log" 2>&1 || {
  cat "$work/keys.log" >&2
  exit 1
}
# SoftHSM once more, behind p11-kit's remoting
remote=$(find /usr/lib -name p11-kit-client.so | head -1)
mkdir -m 700 "$work/p11-kit"
eval "$(XDG_RUNTIME_DIR=$work/p11-kit p11-kit server --name "$work/p11-kit/socket" --provider "$softhsm" 'pkcs11:token=bench')" >/dev/null
pids+=("$P11_KIT_SERVER_PID")
# of SoftHSM's processes one fails now and then when there are many: what the others do counts
while read -r peer name key kind processes threads mode; do
  ours() { "$work/p11bench" "$module" "" "" "$key" "$kind" "$seconds" "$processes" "$threads" "$mode" | rate; }
  peer() { { "$work/p11bench" "$peer_module" bench 1234 "$key" "$kind" "$seconds" "$processes" "$threads" "$mode" || true; } | rate; }
  case $peer in
    in-process) peer_module=$softhsm where="SoftHSM in process" ;;
    remote) peer_module=$remote where="SoftHSM behind p11-kit server" ;;
  esac
  pair "${name//_/ } (peer: $where)"
done <<'END'
in-process ECDSA_P-256,_1_thread ec ecdsa 1 1
in-process RSA-2048,_1_thread rsa rsa 1 1
in-process ECDSA_P-256,_4_threads ec ecdsa 1 4
in-process ECDSA_P-256,_8_processes ec ecdsa 8 1
in-process ECDSA_P-256,_session,_find_and_sign_each_time ec ecdsa 1 1 open
remote ECDSA_P-256,_1_thread ec ecdsa 1 1
remote ECDSA_P-256,_8_processes ec ecdsa 8 1
remote RSA-2048,_1_thread rsa rsa 1 1
END

# one key a hundred thousand times, with ids that are numbers
many=100000
service many "$software" "$bin/parsec" serve
PARSEC_SERVICE_ENDPOINT=unix:$work/many/parsec.sock "$bin/parsec" key new web --for tls-server >/dev/null
stop "$!"
rm -f "$work/many/parsec.sock"
sqlite3 "$work/many/keys.sqlite3" '.read tests/src/unsign.sql' "
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $many)
  INSERT INTO key SELECT printf('%032x', i), provider, owner, 'copy-' || i, state, attributes, 'copy-' || i,
    CAST(printf('%08d', i) AS BLOB), tier, public, private, created, local, past, pkcs11 FROM key, n WHERE name = 'web'"
service many "$software" "$bin/parsec" serve --accept-loss
found=$(PARSEC_SERVICE_ENDPOINT=unix:$work/many/parsec.sock "$work/p11bench" "$module" "" "" 00077777 find "$seconds" 1 1)
note "one of $many keys by CKA_ID, in microseconds: $(sed 's/ops_per_s=[^ ]* //; s/_us=/ /g; s/ errors=.*//' <<<"$found")"

for what in ping ecdsa rsa; do
  ours() { "$bin/examples/upstream-bench" "$what" "$seconds" | rate; }
  peer() { PARSEC_SERVICE_ENDPOINT=unix:$work/upstream/parsec.sock "$bin/examples/upstream-bench" "$what" "$seconds" | rate; }
  pair "$what through upstream's client (peer: upstream's service)"
done

for kind in "EC P-256 ec_paramgen_curve p256" "RSA 2048 rsa_keygen_bits rsa-2048"; do
  read -r name size option algorithm <<<"$kind"
  file=$work/$name-file ref=$work/$name-ref
  openssl genpkey -quiet -algorithm "$name" -pkeyopt "$option:$size" -out "$file.key"
  openssl req -new -x509 -key "$file.key" -subj /CN=localhost -out "$file.crt"
  "$bin/parsec" key new "web-$name" --for tls-server --algorithm "$algorithm" --grant user:www-data=sign --out "$ref.key" >/dev/null
  OPENSSL_CONF=$work/openssl.cnf openssl req -new -x509 -key "$ref.key" -subj /CN=localhost -out "$ref.crt"
  web "$name-nginx-file" "$file" $((port += 1))
  file_port=$port
  OPENSSL_CONF=$work/openssl.cnf web "$name-nginx-ref" "$ref" $((port += 1))
  ref_port=$port
  ours() { handshakes "$ref_port"; }
  peer() { handshakes "$file_port"; }
  pair "nginx full handshakes, $name $size (peer: key in a file)"
done
