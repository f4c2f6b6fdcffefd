# Sourced by the scripts beside it: how Kafka's classes are run. Needs PEERS, the folder tests/peers.

PEERS_CACHE="$PEERS/.cache"
# KAFKA_RELEASE=3.9 takes that release instead of the current one.
KAFKA_FOLDER="$PEERS_CACHE/kafka${KAFKA_RELEASE:+-$KAFKA_RELEASE}"
KAFKA_LIBS="${KAFKA_LIBS:-$KAFKA_FOLDER/libs}"
KAFKA_ARCHIVE="$KAFKA_FOLDER/classes.jsa"

# Flags that every JVM gets: a short start matters more than top speed.
java_flags() {
    printf '%s\n' -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.configurationFile="$PEERS/lib/log4j2.xml"
    if [ -f "$KAFKA_ARCHIVE" ]; then
        printf '%s\n' -Xshare:auto -XX:SharedArchiveFile="$KAFKA_ARCHIVE" -Xlog:cds=off -Xlog:cds+dynamic=off
    fi
}

# kafka_java CLASS ARGUMENT...: runs a class of Kafka in the foreground. JAVA_HEAP and JAVA_MORE add to its flags.
kafka_java() { (become_kafka_java "$@"); }

# The same in the place of this shell: what is run in the background with `become_kafka_java ... &` has the JVM's own number,
# and ends when that is killed.
become_kafka_java() {
    local flags
    mapfile -t flags < <(java_flags)
    # shellcheck disable=SC2086
    exec java "${flags[@]}" -Xmx"${JAVA_HEAP:-256m}" ${JAVA_MORE:-} -cp "$KAFKA_LIBS/*" "$@"
}
