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

# Writes NAME=VALUE into .env.prod, all of it or nothing: on a full disk the file stays as it was.
set_variable() {
    cp --preserve .env.prod .env.prod.new &&
        awk -v name="$1=" -v value="$2" 'index($0, name) != 1; END { print name value }' .env.prod >.env.prod.new &&
        sync .env.prod.new && mv .env.prod.new "$(readlink -f .env.prod)" || { rm -f .env.prod.new; return 1; }
}

# Of two at once, each would start the database that the other one copies.
exec 9<docker/volume.sh
flock --nonblock 9 || refuse "An upgrade or a restore to a moment is running already."
replicas=$(docker/compose ps --all --quiet web | grep -c . || true)
start_service() {
    docker/compose up --detach --wait --scale web="$((replicas ? replicas : 1))"
}
