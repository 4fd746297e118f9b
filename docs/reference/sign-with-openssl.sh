#!/bin/sh
# A call signed by the countersign profile, with nothing but curl and openssl (3.0 or later).
#
#   sign-with-openssl.sh METHOD URL KEY.pem [BODY-FILE] [TOKEN]
#
#   METHOD     as it goes on the request line: GET, POST, ...
#   URL        http(s), percent-encoded where needed
#   KEY.pem    Ed25519 private key (openssl genpkey -algorithm ed25519 -out KEY.pem)
#   BODY-FILE  sent as it is; '' for none. CONTENT_TYPE says what it is (default application/json)
#   TOKEN      access token, or @FILE that holds it
#
# Prints the body of the answer. Exit code: 0 for 2xx and 3xx, 22 for 4xx and 5xx, else curl's; 2 for wrong use.
set -eu

fail() {
  printf 'sign-with-openssl: %s\n' "$1" >&2
  exit 2
}
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

[ $# -ge 3 ] && [ $# -le 5 ] || fail 'usage: sign-with-openssl.sh METHOD URL KEY.pem [BODY-FILE] [TOKEN]'
method=$1 url=${2%%#*} key=$3 body=${4:-} token=${5:-}
[ -r "$key" ] || fail "cannot read $key"
[ -z "$body" ] || [ -r "$body" ] || fail "cannot read $body"
case $token in @*) token=$(cat "${token#@}") ;; esac
case $method in '' | *[!A-Za-z]*) fail "not a method: $method" ;; esac
case $url in *[!!-~]*) fail 'percent-encode the URL: it holds a space or a character that is not ASCII' ;; esac
case $token in *[!A-Za-z0-9._~+/=-]*) fail 'this is not an access token' ;; esac

# The parts of the URL that are signed (RFC 9421 section 2.2): lower-case authority without the default port,
# path and query exactly as they are sent.
case $url in
  https://*) scheme=https default_port=443 ;;
  http://*) scheme=http default_port=80 ;;
  *) fail 'the URL must begin with https:// or http://' ;;
esac
rest=${url#*://}
authority=${rest%%[/?]*}
target=${rest#"$authority"}
case $authority in *@*) fail 'leave user name and password out of the URL' ;; esac
case $target in /*) ;; *) target=/$target ;; esac
path=${target%%\?*}
query=?
case $target in *\?*) query=?${target#*\?} ;; esac
authority=$(printf %s "$authority" | tr '[:upper:]' '[:lower:]')
authority=${authority%:"$default_port"}

# RFC 6750 section 5.3: no bearer token in clear on the network. On loopback no proxy sees it; elsewhere curl
# follows http_proxy, https_proxy and NO_PROXY.
loopback=
case $scheme://$authority in
  http://localhost | http://localhost:* | http://127.0.0.1 | http://127.0.0.1:* | 'http://[::1]' | 'http://[::1]:'*)
    loopback=yes ;;
  http://*) [ -z "$token" ] || fail 'a token is sent over https only' ;;
esac

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# keyid: the JWK thumbprint of the public key (RFC 7638; the raw key is the last 32 bytes of its DER).
openssl pkey -in "$key" -pubout -outform DER -out "$work/public.der" || fail "$key holds no readable private key"
[ "$(wc -c < "$work/public.der")" -eq 44 ] || fail "$key is not an Ed25519 key"
x=$(tail -c 32 "$work/public.der" | base64url)
keyid=$(printf '{"crv":"Ed25519","kty":"OKP","x":"%s"}' "$x" | openssl dgst -sha256 -binary | base64url)

# The signature base (RFC 9421 section 2.5) and the header fields, line by line.
cover() { # name, value
  components="$components \"$1\""
  printf '"%s": %s\n' "$1" "$2" >> "$work/base"
}
send() { # name, value: a header field that is covered
  cover "$1" "$2"
  printf '%s: %s\n' "$1" "$2" >> "$work/headers"
}
components=
cover @method "$method"
cover @authority "$authority"
cover @path "$path"
cover @query "$query"
if [ -n "$body" ] && [ -s "$body" ]; then
  cp "$body" "$work/body" # what is hashed is what is sent, even if the file changes meanwhile
  send content-type "${CONTENT_TYPE:-application/json}"
  send content-digest "sha-256=:$(openssl dgst -sha256 -binary "$work/body" | openssl base64 -A):"
fi
[ -z "$token" ] || send authorization "Bearer $token"

created=$(date +%s)
nonce=$(openssl rand 16 | base64url)
parameters="(${components# });created=$created;expires=$((created + 60));nonce=\"$nonce\";keyid=\"$keyid\";tag=\"countersign\""
printf '"@signature-params": %s' "$parameters" >> "$work/base"
openssl pkeyutl -sign -inkey "$key" -rawin -in "$work/base" -out "$work/signature"
{
  printf 'Signature-Input: sig=%s\n' "$parameters"
  printf 'Signature: sig=:%s:\n' "$(openssl base64 -A -in "$work/signature")"
} >> "$work/headers"

# -q: no .curlrc. --path-as-is, --globoff: what was signed is what is sent. Redirects are not followed.
set -- -q --silent --show-error --fail-with-body --path-as-is --globoff --header "@$work/headers"
case $method in
  HEAD) set -- "$@" --head ;;
  *) set -- "$@" --request "$method" ;;
esac
[ ! -f "$work/body" ] || set -- "$@" --data-binary "@$work/body"
# Even an empty --noproxy would override NO_PROXY.
[ -z "$loopback" ] || set -- "$@" --noproxy '*'
curl "$@" "$url"
