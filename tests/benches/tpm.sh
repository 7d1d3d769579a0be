# The TPM provider on a TPM in software, against the TPM alone, upstream's service, tpm2-pkcs11 and tpm2-openssl.
# shellcheck shell=bash disable=SC2154

# tpm NAME: a new one; `tcti` says where it is
tpm() {
  mkdir "$work/$1"
  port=$((port + 2)) tcti=swtpm:host=127.0.0.1,port=$((port - 1))
  start "$work/$1/log" swtpm socket --tpm2 --tpmstate "dir=$work/$1" --flags not-need-init,startup-clear \
    --server "type=tcp,port=$((port - 1)),bindaddr=127.0.0.1" --ctrl "type=tcp,port=$port,bindaddr=127.0.0.1"
  until_ready "$work/$1/log" bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}

# provider: the lines of a provider on it
provider() { printf 'provider_type = "Tpm"\ntcti = "%s"\nowner_hierarchy_auth = ""\n' "$tcti"; }

tpm tpm-floor
floor=$tcti
tpm tpm-upstream
service tpm-upstream-service "$(provider)" "$UPSTREAM_PARSEC"
tpm tpm-ours
service tpm-service "$(provider)" "$bin/parsec" serve
export PARSEC_SERVICE_ENDPOINT=unix:$work/tpm-service/parsec.sock

# a TPM behind tpm2-abrmd on a bus of its own, and tpm2-pkcs11
tpm tpm-peer
bare=$tcti managed=tabrmd:bus_type=system
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus TPM2_PKCS11_STORE=$work/tpm2-pkcs11
cat >"$work/bus.conf" <<XML
<busconfig>
  <listen>$DBUS_SYSTEM_BUS_ADDRESS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
XML
start "$work/bus.log" dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile
until_ready "$work/bus.log" test -e "$work/bus"
start "$work/abrmd.log" tpm2-abrmd --allow-root --tcti "$bare"
abrmd=$!
until_ready "$work/abrmd.log" tpm2_getrandom --tcti "$managed" --output /dev/null 1
tpm2_pkcs11=$(find /usr/lib -name libtpm2_pkcs11.so | head -1)
mkdir "$TPM2_PKCS11_STORE"
{
  export TPM2_PKCS11_TCTI=$managed TPM2TOOLS_TCTI=$managed TPM2_PKCS11_LOG_LEVEL=0
  tpm2_ptool init
  tpm2_ptool addtoken --pid 1 --label bench --sopin 1234 --userpin 1234
  for key in ec:ecc256:EC:prime256v1 rsa:rsa2048:rsa:2048; do
    IFS=: read -r label algorithm kind size <<<"$key"
    tpm2_ptool addkey --label bench --userpin 1234 --algorithm "$algorithm" --key-label "$label"
    pkcs11-tool --module "$module" --keypairgen --key-type "$kind:$size" --label "$label"
  done
  for process in {0..7}; do
    pkcs11-tool --module "$module" --keypairgen --key-type EC:prime256v1 --label "ec-$process"
  done
} >"$work/keys.log" 2>&1 || {
  cat "$work/keys.log" >&2
  exit 1
}

fair=${SECONDS_FAIR:-60}
bench() { "$work/p11bench" "$@" 2>>"$work/bench.log"; }
while IFS=, read -r name key kind processes; do
  ours() { bench "$module" "" "" "$key" "$kind" "$seconds" "$processes" 1 | rate; }
  peer() { "$bin/examples/tpm-floor" "$floor" "$kind" "$seconds" | rate; }
  pair "TPM: $name (peer: the TPM alone with one key)"
done <<'END'
ECDSA P-256 1 client,ec,ecdsa,1
ECDSA P-256 8 clients with 8 keys,ec-%d,ecdsa,8
RSA-2048 1 client,rsa,rsa,1
END
while IFS=, read -r name key kind processes; do
  ours() { bench "$module" "" "" "$key" "$kind" "$seconds" "$processes" 1 | rate; }
  peer() { bench "$tpm2_pkcs11" bench 1234 "$key" "$kind" "$seconds" "$processes" 1 | rate; }
  pair "TPM: $name (peer: tpm2-pkcs11 behind tpm2-abrmd)"
done <<'END'
ECDSA P-256 1 client,ec,ecdsa,1
ECDSA P-256 8 clients,ec,ecdsa,8
RSA-2048 1 client,rsa,rsa,1
END
for what in ecdsa rsa; do
  ours() { "$bin/examples/upstream-bench" "$what" "$seconds" | rate; }
  peer() { PARSEC_SERVICE_ENDPOINT=unix:$work/tpm-upstream-service/parsec.sock "$bin/examples/upstream-bench" "$what" "$seconds" | rate; }
  pair "TPM: $what through upstream's client (peer: upstream's service)"
done

# nginx with tpm2-openssl, which OpenSSL has to prefer for keys, and not for what needs none
conf() {
  cat <<CNF
openssl_conf = init
[init]
providers = providers
$1
[providers]
default = default_section
tpm2 = tpm2_section
[default_section]
activate = 1
[tpm2_section]
activate = 1
CNF
}
conf "" >"$work/tpm2-plain.cnf"
conf "alg_section = algorithms
[algorithms]
default_properties = ?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes" >"$work/tpm2-preferred.cnf"
theirs=$work/tpm2-openssl mine=$work/tpm-ref
export TPM2OPENSSL_TCTI=$managed
{
  OPENSSL_CONF=$work/tpm2-preferred.cnf openssl genpkey -quiet -algorithm EC -pkeyopt group:P-256 -out "$theirs.key"
  OPENSSL_CONF=$work/tpm2-preferred.cnf openssl req -new -x509 -key "$theirs.key" -subj /CN=localhost -out "$theirs.crt"
  chmod 644 "$theirs.key"
  "$bin/parsec" key new web --for tls-server --grant user:www-data=sign --out "$mine.key"
  "$bin/parsec" key csr web --self-signed --cn localhost --out "$mine.crt"
} >"$work/keys.log" 2>&1 || {
  cat "$work/keys.log" >&2
  exit 1
}
OPENSSL_CONF=$work/openssl.cnf web tpm-nginx "$mine" $((port += 1))
mine_port=$port
ours() { handshakes "$mine_port"; }
peer() { handshakes "$port"; }
OPENSSL_CONF=$work/tpm2-preferred.cnf web managed-nginx "$theirs" $((port += 1))
pair "TPM: nginx full handshakes, EC P-256 (peer: tpm2-openssl, tpm2-abrmd)"
stop "$!"

# the same without a resource manager
stop "$abrmd"
export TPM2OPENSSL_TCTI=$bare
OPENSSL_CONF=$work/tpm2-preferred.cnf web bare-nginx "$theirs" $((port += 1))
pair "TPM: nginx full handshakes, EC P-256 (peer: tpm2-openssl, TPM of its own)"
stop "$!"
OPENSSL_CONF=$work/tpm2-plain.cnf web plain-nginx "$theirs" $((port += 1))
note "nginx with tpm2-openssl and no default_properties: $(handshakes "$port" 2>/dev/null ||
  grep -m 1 -o 'SSL_do_handshake() failed (SSL: [^)]*)' "$work/plain-nginx/error.log")"
stop "$!"
note "8 processes with a TPM that has no resource manager, ECDSA P-256:"
note "  ours:        $(bench "$module" "" "" ec ecdsa "$seconds" 8 1)"
note "  tpm2-pkcs11: $(TPM2_PKCS11_TCTI=$bare bench "$tpm2_pkcs11" bench 1234 ec ecdsa "$seconds" 8 1 || true)"

# Twenty users with a key each: one has 64 requests waiting at all times, eighteen have one, and one asks ten times a second.
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
first=60001 polite=60020
for ((uid = first; uid <= polite; uid++)); do
  as $uid pkcs11-tool --module "$module" --keypairgen --key-type EC:prime256v1 --label own >"$work/keys.log" 2>&1
done
alone=$(as $polite "$work/p11bench" "$module" "" "" own ecdsa "$seconds" 1 1)
for ((uid = first; uid < polite; uid++)); do
  start "$work/$uid.log" setpriv --reuid=$uid --regid=$uid --clear-groups "$work/p11bench" "$module" "" "" own ecdsa $((fair + 4)) 1 \
    $((uid == first ? 64 : 1))
  crowd+=($!)
done
sleep 2
among=$(as $polite "$work/p11bench" "$module" "" "" own ecdsa "$fair" 1 1 0.1)
wait "${crowd[@]}"
note "fairness: a user who signs ten times a second, in microseconds"
note "  alone, without a pause:                                       $alone"
note "  beside one who has 64 requests waiting, and 18 who have one:  $among"
note "  $(cat "$work/$first.log") (the one)"
