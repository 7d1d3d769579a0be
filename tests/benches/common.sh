# What every part of the benchmarks uses: processes in a directory that goes away, and pairs of rates that become lines of the table.
# shellcheck shell=bash disable=SC2154  # `run` sets seconds, rounds and bin

work=$(mktemp -d)
chmod 755 "$work"
touch "$work/table" "$work/notes"
pids=() port=$((20000 + RANDOM % 10000))
finish() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# start LOG COMMAND…: in the background
start() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  pids+=($!)
}

# service DIR PROVIDER PROGRAM…: starts a service on a directory of its own, with a provider of these lines, and waits for its socket
service() {
  local dir=$work/$1 provider=$2
  shift 2
  mkdir -p "$dir"
  cat >"$dir/config.toml" <<TOML
[core_settings]
allow_root = true
log_level = "warn"
[listener]
listener_type = "DomainSocket"
timeout = 5000
socket_path = "$dir/parsec.sock"
[authenticator]
auth_type = "UnixPeerCredentials"
[[key_manager]]
name = "store"
manager_type = "SQLite"
sqlite_db_path = "$dir/keys.sqlite3"
[[provider]]
key_info_manager = "store"
$provider
TOML
  start "$dir/log" env -C "$dir" RUST_LOG=warn TSS2_LOG=all+NONE "$@" -c "$dir/config.toml"
  until_ready "$dir/log" test -e "$dir/parsec.sock"
}

# until_ready LOG COMMAND…: waits until the command succeeds
until_ready() {
  local log=$1
  shift
  for _ in $(seq 200); do
    "$@" 2>/dev/null && return
    sleep 0.05
  done
  cat "$log" >&2
  echo "waited in vain for: $*" >&2
  exit 1
}

# stop PID: ends a process that was started
stop() {
  kill "$1"
  wait "$1" || true
}

rate() { sed -n 's/.*ops_per_s=\([0-9.]*\).*/\1/p'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# pair NAME: runs the functions `ours` and `peer`, which print a rate, in turns; one line of the table
pair() {
  local a b
  : >"$work/ours.rates" >"$work/peer.rates"
  for _ in $(seq "$rounds"); do
    ours >>"$work/ours.rates"
    peer >>"$work/peer.rates"
  done
  a=$(median <"$work/ours.rates") b=$(median <"$work/peer.rates")
  awk -v name="$1" -v a="$a" -v b="$b" 'BEGIN { printf "| %-72s | %8.0f | %8.0f | %7.2f |\n", name, a, b, a / b }' | tee -a "$work/table" >&2
}

# note TEXT: a line below the table
note() { echo "$1" | tee -a "$work/notes" >&2; }

# web NAME KEY PORT: an nginx with one worker as www-data, which serves one line by TLS 1.3
web() {
  mkdir -p "$work/$1"
  cat >"$work/$1/nginx.conf" <<NGINX
user www-data;
worker_processes 1;
daemon off;
pid $work/$1/pid;
error_log $work/$1/error.log;
env PARSEC_SERVICE_ENDPOINT;
env TPM2OPENSSL_TCTI;
env DBUS_SYSTEM_BUS_ADDRESS;
events {}
http {
  access_log off;
  client_body_temp_path $work/$1/body;
  proxy_temp_path $work/$1/proxy;
  fastcgi_temp_path $work/$1/fastcgi;
  uwsgi_temp_path $work/$1/uwsgi;
  scgi_temp_path $work/$1/scgi;
  ssl_protocols TLSv1.3;
  ssl_session_cache off;
  ssl_session_tickets off;
  server {
    listen 127.0.0.1:$3 ssl;
    ssl_certificate $2.crt;
    ssl_certificate_key $2.key;
    location / { return 200 "ok\n"; }
  }
}
NGINX
  start "$work/$1/log" nginx -c "$work/$1/nginx.conf"
  until_ready "$work/$1/log" test -e "$work/$1/pid"
}

# handshakes PORT: full handshakes a second; any that fails is an error
handshakes() {
  wrk -t1 -c8 -d"${seconds}s" -H 'Connection: close' "https://127.0.0.1:$1/" >"$work/wrk"
  if grep -q 'Non-2xx\|connect [1-9]\|timeout [1-9]' "$work/wrk"; then
    cat "$work/wrk" >&2
    return 1
  fi
  sed -n 's/^Requests\/sec: *//p' "$work/wrk"
}

# where every user may load it
module=$work/libparsec_pkcs11.so
install -m 755 "$bin/libparsec_pkcs11.so" "$module"
gcc -O2 -o "$work/p11bench" tests/benches/p11bench.c $(pkg-config --cflags p11-kit-1) -ldl -lpthread

# for programs that have our OpenSSL provider
cat >"$work/openssl.cnf" <<CNF
openssl_conf = init
config_diagnostics = 1
[init]
providers = providers
[providers]
default = default_section
parsec = parsec_section
[default_section]
activate = 1
[parsec_section]
module = $bin/libparsec_openssl.so
activate = 1
CNF
