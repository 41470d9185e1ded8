#!/bin/sh
# Makes the secrets that compose.yaml names, once. What is there already is left alone.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
new() { head -c 36 /dev/urandom | base64 | tr -d '\n/+='; }
for name in postgres_password owner_password; do
    [ -s "secrets/$name" ] || new > "secrets/$name"
done
[ -s secrets/bivelio_secret_key ] || { new; new; } > secrets/bivelio_secret_key
[ -s secrets/bivelio_database_url ] ||
    printf 'postgresql://bivelio_owner:%s@postgres/bivelio' "$(cat secrets/owner_password)" > secrets/bivelio_database_url
# The server's account in the image reads its two, PostgreSQL's the other two.
chown 10001 secrets/bivelio_secret_key secrets/bivelio_database_url 2>/dev/null &&
    chown 999 secrets/postgres_password secrets/owner_password 2>/dev/null ||
    echo "Run this as root: the accounts in the containers must be able to read the secrets."
