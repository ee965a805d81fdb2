# shellcheck shell=sh
# Sourced by what puts the production database onto a new volume: the old one stays as it is, until it is removed by hand.

refuse() {
    echo "$1" >&2
    exit 1
}

# The name of the volume that the service db uses.
current_volume() {
    docker/compose config | awk '/^volumes:/ { found = 1 } found && /^  db:/ { getline; print $2 }'
}

# Makes the volume of $POSTGRES_VOLUME: the images of PostgreSQL 18 and later have no directory whose owner it would get.
make_volume() {
    docker/compose run --rm -T --no-deps --user root --cap-add CHOWN --entrypoint chown db \
        postgres: /var/lib/postgresql/data
}

# Writes NAME=VALUE into .env.prod.
set_variable() {
    sed -i "/^$1=/d" .env.prod
    [ -z "$(tail -c 1 .env.prod)" ] || echo >>.env.prod
    echo "$1=$2" >>.env.prod
}

replicas=$(docker/compose ps --all --quiet web | grep -c . || true)
start_service() {
    docker/compose up --detach --wait --scale web="$((replicas ? replicas : 1))"
}
