#!/bin/sh
# Run once, by PostgreSQL's image, in an empty database: the owner of ours, who is no superuser.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/owner_password)" --username "${POSTGRES_USER:-postgres}" <<'SQL'
create role bivelio_owner login createrole nosuperuser password :'password';
create database bivelio owner bivelio_owner;
SQL
