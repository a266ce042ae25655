# Starts and stops a Fogbank for a script: source it, call start_server, and stop_server when done.
# shellcheck shell=bash

# A free port: the usual one if nobody has it.
free_port() {
  python3 - <<'END'
import socket
for port in (4566, 0):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(probe.getsockname()[1])
        break
END
}

# start_server BINARY DATA-DIR LOG: returns once it is ready; leaves AWS_ENDPOINT_URL, credentials and region set.
start_server() {
  local port
  port=$(free_port)
  "$1" start --listen "127.0.0.1:$port" --data-dir "$2" >"$3" 2>&1 </dev/null &
  server_pid=$!
  for _ in $(seq 300); do
    if grep -q '^Ready\.' "$3"; then
      export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_DEFAULT_REGION=us-east-1
      export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_EC2_METADATA_DISABLED=true
      unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN
      return
    fi
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "Fogbank did not start:" >&2
  cat "$3" >&2
  return 1
}

stop_server() {
  [[ -n ${server_pid:-} ]] || return 0
  kill "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
  server_pid=""
}
