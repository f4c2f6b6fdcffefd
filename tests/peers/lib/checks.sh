# Sourced by the suites that are shell scripts: named checks, deadlines, unique names.
# A check is a function whose name begins with check_; it fails with `fails REASON`, or when a command of it fails.

BOOTSTRAP="${BOOTSTRAP_SERVERS:-127.0.0.1:9092}"
RUN="$(head -c 4 /dev/urandom | od -An -tx4 | tr -d ' ')"
WORK="$(mktemp -d)"
trap 'trap - EXIT; for pid in $(jobs -p); do { kill -9 "$pid" && wait "$pid"; } 2>/dev/null; done; rm -rf "$WORK"' EXIT

name() { echo "$1-$RUN-$(head -c 3 /dev/urandom | od -An -tx1 | tr -d ' ')"; }

fails() { echo "$*" | tr '\n' ' ' | head -c 400 >"$WORK/reason"; exit 1; }

# same GOT WANTED [WHAT]
same() { [ "$1" = "$2" ] || fails "${3:-}${3:+: }got '$1', wanted '$2'"; }

# has TEXT PATTERN: an extended regular expression occurs in the text.
has() { grep -qE -- "$2" <<<"$1" || fails "no '$2' in '$1'"; }
lacks() { ! grep -qE -- "$2" <<<"$1" || fails "'$2' in '$1'"; }

# until_true SECONDS COMMAND...
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || fails "not in time: $*"
        sleep 0.1
    done
}

# Runs every check whose name contains the first argument, each in a subshell, and exits 1 if any failed.
run_checks() {
    local wanted=${1:-} failed=0 check title begun
    wanted=${wanted//-/_}
    for check in $(declare -F | sed -n 's/^declare -f \(check_.*\)/\1/p' | while read -r f; do
        shopt -s extdebug; declare -F "$f"; done | sort -n -k2 | cut -d' ' -f1); do
        [[ $check == *"$wanted"* ]] || continue
        title=${check#check_}
        title=${title//_/-}
        rm -f "$WORK/reason"
        begun=$EPOCHREALTIME
        if (set -euo pipefail; trap - EXIT; "$check") >"$WORK/out" 2>"$WORK/err"; then
            [ -z "${PEERS_TIMES:-}" ] || printf '# %.1fs ' "$(bc <<<"$EPOCHREALTIME - $begun")"
            echo "ok $title"
        else
            failed=1
            echo "FAIL $title: $(cat "$WORK/reason" 2>/dev/null || tail -3 "$WORK/err" | tr '\n' ' ')"
        fi
    done
    exit $failed
}
