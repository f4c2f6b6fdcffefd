// The JVM's Kafka client. Runs as a single file: java -cp 'libs/*' Suite.java [PART-OF-A-CHECK'S-NAME]

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

public class Suite {
    static final String BOOTSTRAP = System.getenv().getOrDefault("BOOTSTRAP_SERVERS", "127.0.0.1:9092");
    static final String RUN = Long.toHexString(new Random().nextLong() >>> 32);
    static int names = 0;
    static Admin admin;

    interface Check {
        void run() throws Exception;
    }

    static class Skipped extends RuntimeException {
        Skipped(String why) {
            super(why);
        }
    }

    // ---- what every check uses ------------------------------------------------------------------------------

    static synchronized String name(String stem) {
        return stem + "-" + RUN + "-" + (++names);
    }

    static void same(Object got, Object wanted, String what) {
        if (!Objects.deepEquals(got, wanted)) throw new AssertionError(what + ": got " + got + ", wanted " + wanted);
    }

    static void until(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + 25_000_000_000L;
        while (!condition.call()) {
            if (System.nanoTime() > deadline) throw new AssertionError("not in time: " + what);
            Thread.sleep(20);
        }
    }

    /** Runs what must fail, and checks the class of its cause. */
    static void refused(Class<? extends Throwable> kind, Callable<?> call) throws Exception {
        try {
            Object value = call.call();
            throw new AssertionError("no " + kind.getSimpleName() + ", but " + value);
        } catch (ExecutionException problem) {
            same(problem.getCause().getClass(), kind, "the refusal: " + problem.getCause().getMessage());
        } catch (KafkaException problem) {
            same(problem.getClass(), kind, "the refusal: " + problem.getMessage());
        }
    }

    static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    static String topic(int partitions, String... config) throws Exception {
        String made = name("java");
        Map<String, String> configs = new HashMap<>();
        for (int n = 0; n < config.length; n += 2) configs.put(config[n], config[n + 1]);
        get(admin.createTopics(List.of(new NewTopic(made, partitions, (short) 1).configs(configs))).all());
        return made;
    }

    static KafkaProducer<String, String> producer(Object... config) {
        Map<String, Object> all = settings(config);
        return new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
    }

    static Map<String, Object> settings(Object... config) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", BOOTSTRAP));
        for (int n = 0; n < config.length; n += 2) all.put((String) config[n], config[n + 1]);
        return all;
    }

    static KafkaConsumer<String, String> consumer(Object... config) {
        Map<String, Object> all = settings("auto.offset.reset", "earliest", "enable.auto.commit", false, "fetch.max.wait.ms", 100,
            "session.timeout.ms", 6000, "heartbeat.interval.ms", 300, "metadata.max.age.ms", 1000);
        all.putAll(settings(config));
        if ("consumer".equals(all.get("group.protocol"))) {
            all.remove("session.timeout.ms");
            all.remove("heartbeat.interval.ms");
        }
        return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    static void produce(String topic, int count, int partitions, Object... config) throws Exception {
        try (var producer = producer(config)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int n = 0; n < count; n++) sent.add(producer.send(new ProducerRecord<>(topic, n % partitions, null, "v" + n)));
            for (var future : sent) future.get(20, TimeUnit.SECONDS);
        }
    }

    static String filled(int count) throws Exception {
        String made = topic(1);
        produce(made, count, 1);
        return made;
    }

    static List<ConsumerRecord<String, String>> read(KafkaConsumer<String, String> consumer, int count) throws Exception {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        until(count + " records", () -> {
            consumer.poll(Duration.ofMillis(200)).forEach(got::add);
            return got.size() >= count;
        });
        return got;
    }

    static List<String> readFrom(String topic, long offset, int count, Object... config) throws Exception {
        try (var consumer = consumer(config)) {
            var place = new TopicPartition(topic, 0);
            consumer.assign(List.of(place));
            if (offset < 0) consumer.seekToBeginning(List.of(place));
            else consumer.seek(place, offset);
            return values(read(consumer, count));
        }
    }

    static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    static List<String> numbered(int from, int to) {
        return IntStream.range(from, to).mapToObj(n -> "v" + n).toList();
    }

    /** A member of a group in a thread of its own, as an application has it. */
    static class Member implements AutoCloseable {
        final Thread thread;
        final Set<String> seen = ConcurrentHashMap.newKeySet();
        volatile Set<TopicPartition> assigned = Set.of();
        volatile boolean leave = false, crash = false;
        volatile Throwable problem;
        volatile int revokedAtOnce = 0;

        Member(String topic, Object... config) {
            var consumer = consumer(config);
            consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                public void onPartitionsAssigned(Collection<TopicPartition> added) {}

                public void onPartitionsRevoked(Collection<TopicPartition> gone) {
                    revokedAtOnce = Math.max(revokedAtOnce, gone.size());
                }
            });
            thread = new Thread(() -> {
                try {
                    while (!leave) {
                        consumer.poll(Duration.ofMillis(50)).forEach(record -> seen.add(record.value()));
                        assigned = consumer.assignment();
                    }
                    consumer.close(CloseOptions.timeout(Duration.ofSeconds(5)).withGroupMembershipOperation(
                        crash ? CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP : CloseOptions.GroupMembershipOperation.DEFAULT));
                } catch (Throwable found) {
                    problem = found;
                    consumer.close(CloseOptions.timeout(Duration.ZERO));
                }
            });
            thread.start();
        }

        public void close() throws InterruptedException {
            leave = true;
            thread.join();
        }

        /** Goes away without telling the broker. */
        void crash() throws InterruptedException {
            crash = true;
            close();
        }
    }

    static boolean shared(List<Member> members, int each) {
        for (var member : members) if (member.problem != null) throw new AssertionError("a member failed: " + member.problem);
        return members.stream().allMatch(member -> member.assigned.size() == each);
    }

    static ConsumerGroupDescription describe(String group) throws Exception {
        return get(admin.describeConsumerGroups(List.of(group)).describedGroups().get(group));
    }

    /** Whether the broker has the newer group protocol: the client keeps the versions of APIs to itself, this feature tells. */
    static boolean hasNewGroups() throws Exception {
        return get(admin.describeFeatures().featureMetadata()).finalizedFeatures().containsKey("group.version");
    }

    // ---- producing and consuming ----------------------------------------------------------------------------

    static void compressions() throws Exception {
        String topic = topic(1);
        List<String> wanted = new ArrayList<>();
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var producer = producer("compression.type", codec, "linger.ms", 5)) {
                for (int n = 0; n < 20; n++) {
                    wanted.add((codec + n).repeat(30));
                    producer.send(new ProducerRecord<>(topic, (codec + n).repeat(30)));
                }
            }
        }
        same(readFrom(topic, -1, 100), wanted, "the values");
    }

    static void keysHeadersNullsAndTimestamps() throws Exception {
        String topic = topic(1);
        try (var producer = producer()) {
            var headers = List.<org.apache.kafka.common.header.Header>of(new RecordHeader("a", new byte[] {1}), new RecordHeader("a", (byte[]) null));
            var placed = producer.send(new ProducerRecord<>(topic, 0, 1_600_000_000_123L, "k", "v", headers)).get();
            same(placed.offset() + " " + placed.timestamp() + " " + placed.serializedKeySize(), "0 1600000000123 1", "metadata");
            producer.send(new ProducerRecord<>(topic, 0, 1_600_000_000_456L, "k", (String) null)).get();
            producer.send(new ProducerRecord<>(topic, 0, 1_600_000_000_789L, null, "")).get();
        }
        try (var consumer = consumer()) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            var got = read(consumer, 3);
            same(got.stream().map(r -> r.key() + "|" + r.value() + "|" + r.timestamp() + "|" + r.timestampType()).toList(),
                List.of("k|v|1600000000123|CreateTime", "k|null|1600000000456|CreateTime", "null||1600000000789|CreateTime"), "records");
            same(Arrays.stream(got.get(0).headers().toArray()).map(h -> h.key() + Arrays.toString(h.value())).toList(),
                List.of("a[1]", "anull"), "headers");
            same(got.get(0).leaderEpoch(), Optional.of(0), "leader epoch");
        }
    }

    static void keyedRecordsKeepTheirPartition() throws Exception {
        String topic = topic(4);
        Map<Integer, Set<Integer>> places = new HashMap<>();
        try (var producer = producer()) {
            for (int n = 0; n < 100; n++)
                places.computeIfAbsent(n % 10, k -> new HashSet<>()).add(
                    producer.send(new ProducerRecord<>(topic, "key-" + n % 10, "v")).get().partition());
        }
        same(places.values().stream().allMatch(found -> found.size() == 1), true, "one partition a key");
        same(places.values().stream().flatMap(Set::stream).distinct().count() > 1, true, "several partitions");
    }

    static void logAppendTime() throws Exception {
        String topic = topic(1, "message.timestamp.type", "LogAppendTime");
        try (var producer = producer(); var consumer = consumer()) {
            long before = System.currentTimeMillis();
            var placed = producer.send(new ProducerRecord<>(topic, 0, 1000L, null, "v")).get();
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            var record = read(consumer, 1).get(0);
            same(record.timestampType() + " " + record.timestamp(), "LogAppendTime " + placed.timestamp(), "stamp");
            same(record.timestamp() >= before - 2000, true, "about now");
        }
    }

    static void timestampsOutOfBounds() throws Exception {
        String topic = topic(1, "message.timestamp.before.max.ms", "1000", "message.timestamp.after.max.ms", "1000");
        try (var producer = producer("retries", 0)) {
            refused(InvalidTimestampException.class, () -> producer.send(new ProducerRecord<>(topic, 0, 1000L, null, "v")).get());
            refused(InvalidTimestampException.class, () ->
                producer.send(new ProducerRecord<>(topic, 0, System.currentTimeMillis() + 3_600_000, null, "v")).get());
            producer.send(new ProducerRecord<>(topic, "v")).get();
        }
    }

    static void fromAnOffsetATimeAndTheEnd() throws Exception {
        String topic = topic(1);
        var place = new TopicPartition(topic, 0);
        try (var producer = producer(); var consumer = consumer()) {
            for (int n = 0; n < 10; n++) producer.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L + n * 1000, null, "v" + n)).get();
            same(readFrom(topic, 4, 6), numbered(4, 10), "from 4");
            consumer.assign(List.of(place));
            var found = consumer.offsetsForTimes(Map.of(place, 1_700_000_004_500L)).get(place);
            same(found.offset() + " " + found.timestamp(), "5 1700000005000", "for a time");
            same(consumer.offsetsForTimes(Map.of(place, 1_800_000_000_000L)).get(place), null, "for a late time");
            same(consumer.beginningOffsets(List.of(place)) + " " + consumer.endOffsets(List.of(place)),
                "{" + place + "=0} {" + place + "=10}", "bounds");
            consumer.seek(place, 5);
            same(values(read(consumer, 5)), numbered(5, 10), "from the time");
            same(consumer.currentLag(place), OptionalLong.of(0), "lag");
            consumer.seek(place, 8);
            consumer.seekToEnd(List.of(place));
            same(consumer.position(place), 10L, "position");
            producer.send(new ProducerRecord<>(topic, "new")).get();
            same(values(read(consumer, 1)), List.of("new"), "the new one");
        }
    }

    static void outOfRange() throws Exception {
        String topic = filled(5);
        same(readFrom(topic, 1000, 5), numbered(0, 5), "reset");
        refused(org.apache.kafka.clients.consumer.OffsetOutOfRangeException.class, () -> readFrom(topic, 1000, 1, "auto.offset.reset", "none"));
    }

    static void readCommitted() throws Exception {
        String topic = filled(5);
        same(readFrom(topic, -1, 5, "isolation.level", "read_committed"), numbered(0, 5), "all of them");
    }

    static void idempotentProducer() throws Exception {
        String topic = topic(2);
        produce(topic, 2000, 2, "enable.idempotence", true, "batch.size", 100, "max.in.flight.requests.per.connection", 5);
        same(readFrom(topic, -1, 1000), IntStream.range(0, 1000).mapToObj(n -> "v" + n * 2).toList(), "in order");
        var state = get(admin.describeProducers(List.of(new TopicPartition(topic, 0))).all()).values().iterator().next().activeProducers();
        same(state.size() + " " + state.get(0).lastSequence(), "1 999", "the producer's state");
    }

    static void acksOfAllKinds() throws Exception {
        String topic = topic(1);
        for (String acks : List.of("0", "1", "all"))
            try (var producer = producer("acks", acks, "enable.idempotence", false)) {
                same(producer.send(new ProducerRecord<>(topic, acks)).get().hasOffset(), !acks.equals("0"), "an offset with acks " + acks);
            }
        same(readFrom(topic, -1, 3).size(), 3, "records");
    }

    static void largeRecords() throws Exception {
        String topic = topic(1, "max.message.bytes", "3000000"), small = topic(1, "max.message.bytes", "1000");
        String big = "0123456789".repeat(250_000);
        try (var producer = producer("max.request.size", 4_000_000)) {
            producer.send(new ProducerRecord<>(topic, big)).get();
            same(readFrom(topic, -1, 1).get(0).equals(big), true, "the same");
            refused(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>(small, "x".repeat(2000))).get());
            producer.send(new ProducerRecord<>(small, "x")).get();
            // Several records whose batch is too large are split and sent again by the client.
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int n = 0; n < 20; n++) sent.add(producer.send(new ProducerRecord<>(small, "y".repeat(300))));
            for (var future : sent) future.get(20, TimeUnit.SECONDS);
        }
    }

    static void compactedTopicsNeedKeys() throws Exception {
        String topic = topic(1, "cleanup.policy", "compact");
        try (var producer = producer()) {
            refused(InvalidRecordException.class, () -> producer.send(new ProducerRecord<>(topic, "v")).get());
            producer.send(new ProducerRecord<>(topic, "k", "v")).get();
        }
    }

    static void automaticAndUnknownTopics() throws Exception {
        String made = name("java-auto");
        try (var producer = producer()) {
            producer.send(new ProducerRecord<>(made, "v")).get();
        }
        same(readFrom(made, -1, 1), List.of("v"), "the record");
        try (var consumer = consumer("allow.auto.create.topics", false)) {
            same(consumer.partitionsFor(name("nowhere")), List.of(), "partitions of nothing");
            same(consumer.listTopics().containsKey(made), true, "listed");
        }
    }

    static void pauseAndManyPartitions() throws Exception {
        String topic = topic(20);
        produce(topic, 400, 20);
        try (var consumer = consumer("group.id", name("java-group")); var producer = producer()) {
            consumer.subscribe(List.of(topic));
            same(new HashSet<>(values(read(consumer, 400))).size(), 400, "records");
            consumer.pause(consumer.assignment());
            producer.send(new ProducerRecord<>(topic, 3, null, "late")).get();
            same(consumer.poll(Duration.ofMillis(400)).count(), 0, "while paused");
            consumer.resume(consumer.assignment());
            same(values(read(consumer, 1)), List.of("late"), "resumed");
        }
    }

    // ---- groups ---------------------------------------------------------------------------------------------

    static void commitAndResume() throws Exception {
        String topic = filled(10), group = name("java-group");
        var place = new TopicPartition(topic, 0);
        try (var consumer = consumer("group.id", group, "max.poll.records", 4)) {
            consumer.subscribe(List.of(topic));
            read(consumer, 4);
            consumer.commitSync(Map.of(place, new OffsetAndMetadata(4, Optional.of(0), "note")));
        }
        try (var consumer = consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            same(values(read(consumer, 6)), numbered(4, 10), "the rest");
            same(consumer.committed(Set.of(place)).get(place), new OffsetAndMetadata(4, Optional.of(0), "note"), "committed");
        }
    }

    static void groupOfThree(String assignor) throws Exception {
        String topic = topic(6), group = name("java-group");
        List<Member> members = new ArrayList<>();
        try {
            for (int n = 0; n < 3; n++) members.add(new Member(topic, "group.id", group, "partition.assignment.strategy", assignor));
            until("2, 2, 2", () -> shared(members, 2));
            produce(topic, 60, 6);
            until("60 records", () -> members.stream().flatMap(m -> m.seen.stream()).distinct().count() == 60);
            members.remove(2).close();
            until("3, 3", () -> shared(members, 3));
        } finally {
            for (var member : members) member.close();
        }
        until("empty", () -> describe(group).groupState() == GroupState.EMPTY);
    }

    static void groupOfThreeRange() throws Exception {
        groupOfThree("org.apache.kafka.clients.consumer.RangeAssignor");
    }

    static void groupOfThreeRoundRobin() throws Exception {
        groupOfThree("org.apache.kafka.clients.consumer.RoundRobinAssignor");
    }

    static void groupOfThreeSticky() throws Exception {
        groupOfThree("org.apache.kafka.clients.consumer.StickyAssignor");
    }

    static void groupOfThreeCooperative() throws Exception {
        groupOfThree("org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
    }

    static void cooperativeRebalanceKeepsMost() throws Exception {
        String topic = topic(6), group = name("java-group"), assignor = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
        try (var first = new Member(topic, "group.id", group, "partition.assignment.strategy", assignor)) {
            until("6", () -> first.assigned.size() == 6);
            try (var second = new Member(topic, "group.id", group, "partition.assignment.strategy", assignor)) {
                until("3, 3", () -> shared(List.of(first, second), 3));
                same(first.revokedAtOnce, 3, "revoked by the first");
            }
            until("6 again", () -> first.assigned.size() == 6);
        }
    }

    static void aCrashedMemberIsReplaced() throws Exception {
        String topic = topic(4), group = name("java-group");
        try (var stays = new Member(topic, "group.id", group); var dies = new Member(topic, "group.id", group)) {
            until("2, 2", () -> shared(List.of(stays, dies), 2));
            dies.crash();
            long begun = System.nanoTime();
            until("all four", () -> stays.assigned.size() == 4);
            same(System.nanoTime() - begun > 2_000_000_000L, true, "the session had to time out");
        }
    }

    static void staticMembers() throws Exception {
        String topic = topic(4), group = name("java-group");
        try (var zero = new Member(topic, "group.id", group, "group.instance.id", "static-0")) {
            Set<TopicPartition> before;
            try (var one = new Member(topic, "group.id", group, "group.instance.id", "static-1")) {
                until("2, 2", () -> shared(List.of(zero, one), 2));
                before = one.assigned;
            }
            same(describe(group).members().stream().map(m -> m.groupInstanceId().get()).sorted().toList(), List.of("static-0", "static-1"), "nobody left");
            try (var one = new Member(topic, "group.id", group, "group.instance.id", "static-1")) {
                until("2, 2 again", () -> shared(List.of(zero, one), 2));
                same(one.assigned, before, "the same partitions");
                try (var twin = new Member(topic, "group.id", group, "group.instance.id", "static-1")) {
                    until("the older one is fenced", () -> one.problem instanceof FencedInstanceIdException);
                }
            }
            get(admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("static-1")))).all());
            until("all four", () -> zero.assigned.size() == 4);
        }
    }

    static void newGroupProtocol() throws Exception {
        if (!hasNewGroups()) throw new Skipped("the broker does not offer the new group protocol");
        String topic = topic(4), group = name("java-group");
        produce(topic, 20, 4);
        try (var consumer = consumer("group.id", group, "group.protocol", "consumer")) {
            consumer.subscribe(List.of(topic));
            read(consumer, 20);
            consumer.commitSync();
            same(describe(group).type(), GroupType.CONSUMER, "its type");
        }
        same(get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).values().stream().mapToLong(OffsetAndMetadata::offset).sum(), 20L, "committed");
    }

    static void describeListAlterAndDeleteGroups() throws Exception {
        String topic = filled(10), group = name("java-group");
        var place = new TopicPartition(topic, 0);
        get(admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(3, "m"))).all());
        try (var consumer = consumer("group.id", group, "client.id", "a-client")) {
            consumer.subscribe(List.of(topic));
            same(values(read(consumer, 7)), numbered(3, 10), "from the altered offset");
            var described = get(admin.describeConsumerGroups(List.of(group), new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true)).all()).get(group);
            same(described.groupState() + " " + described.partitionAssignor() + " " + described.type(), "Stable range Classic", "described");
            same(described.authorizedOperations().contains(AclOperation.READ), true, "operations");
            var member = described.members().iterator().next();
            same(member.clientId() + " " + member.host() + " " + member.assignment().topicPartitions(), "a-client /127.0.0.1 [" + place + "]", "member");
            refused(GroupNotEmptyException.class, () -> get(admin.deleteConsumerGroups(List.of(group)).all()));
            refused(GroupSubscribedToTopicException.class, () -> get(admin.deleteConsumerGroupOffsets(group, Set.of(place)).all()));
            refused(UnknownMemberIdException.class, () -> get(admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(0))).all()));
        }
        var listed = get(admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).all());
        same(listed.stream().filter(g -> g.groupId().equals(group)).map(g -> g.protocol() + " " + g.type().get()).toList(), List.of("consumer Classic"), "listed");
        same(get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(place).offset(), 3L, "offset");
        get(admin.deleteConsumerGroupOffsets(group, Set.of(place)).all());
        same(get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).containsKey(place), false, "deleted");
        get(admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(1))).all());
        get(admin.deleteConsumerGroups(List.of(group)).all());
        refused(GroupIdNotFoundException.class, () -> get(admin.deleteConsumerGroups(List.of(group)).all()));
        refused(GroupIdNotFoundException.class, () -> describe(group));
        same(get(admin.listConsumerGroupOffsets(Map.of(group, new ListConsumerGroupOffsetsSpec(), name("other"), new ListConsumerGroupOffsetsSpec())).all()).size(), 2, "several groups in one request");
    }

    // ---- administration -------------------------------------------------------------------------------------

    static void topicsComeGrowAndGo() throws Exception {
        String made = topic(2);
        refused(TopicExistsException.class, () -> get(admin.createTopics(List.of(new NewTopic(made, 1, (short) 1))).all()));
        refused(InvalidReplicationFactorException.class, () -> get(admin.createTopics(List.of(new NewTopic(name("x"), 1, (short) 3))).all()));
        refused(InvalidTopicException.class, () -> get(admin.createTopics(List.of(new NewTopic("in valid", 1, (short) 1))).all()));
        refused(InvalidPartitionsException.class, () -> get(admin.createTopics(List.of(new NewTopic(name("x"), 0, (short) 1))).all()));
        String checked = name("x");
        get(admin.createTopics(List.of(new NewTopic(checked, 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all());
        same(get(admin.listTopics().names()).contains(checked), false, "validate only");
        String byDefault = name("java");
        var result = admin.createTopics(List.of(new NewTopic(byDefault, Optional.empty(), Optional.empty())));
        same(get(result.numPartitions(byDefault)) >= 1 && get(result.replicationFactor(byDefault)) == 1, true, "defaults");
        same(get(result.config(byDefault)).get("retention.ms").value(), "604800000", "configs of the answer");
        get(admin.createPartitions(Map.of(made, NewPartitions.increaseTo(5))).all());
        until("five", () -> get(admin.describeTopics(List.of(made)).allTopicNames()).get(made).partitions().size() == 5);
        refused(InvalidPartitionsException.class, () -> get(admin.createPartitions(Map.of(made, NewPartitions.increaseTo(3))).all()));
        var described = get(admin.describeTopics(List.of(made), new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames()).get(made);
        same(described.authorizedOperations().contains(AclOperation.WRITE), true, "operations");
        var id = described.topicId();
        same(get(admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds()).get(id).name(), made, "by id");
        get(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
        until("gone", () -> !get(admin.listTopics().names()).contains(made));
        refused(UnknownTopicOrPartitionException.class, () -> get(admin.deleteTopics(List.of(made)).all()));
        refused(UnknownTopicOrPartitionException.class, () -> get(admin.describeTopics(List.of(made)).allTopicNames()));
        get(admin.createTopics(List.of(new NewTopic(made, 1, (short) 1))).all());
        same(get(admin.describeTopics(List.of(made)).allTopicNames()).get(made).topicId().equals(id), false, "another topic");
    }

    static void configs() throws Exception {
        String made = topic(1, "retention.ms", "123456");
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, made);
        Function<String, ConfigEntry> entry = key -> {
            try {
                return get(admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all()).get(resource).get(key);
            } catch (Exception problem) {
                throw new AssertionError(problem);
            }
        };
        same(entry.apply("retention.ms").value() + " " + entry.apply("retention.ms").source(), "123456 DYNAMIC_TOPIC_CONFIG", "set at creation");
        same(entry.apply("segment.bytes").value() + " " + entry.apply("segment.bytes").source() + " " + entry.apply("segment.bytes").type(),
            "1073741824 DEFAULT_CONFIG INT", "a default");
        BiFunction<ConfigEntry, AlterConfigOp.OpType, Void> alter = (change, kind) -> {
            try {
                get(admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(change, kind)))).all());
            } catch (ExecutionException problem) {
                throw (RuntimeException) problem.getCause();
            } catch (Exception problem) {
                throw new AssertionError(problem);
            }
            return null;
        };
        alter.apply(new ConfigEntry("retention.ms", "777"), AlterConfigOp.OpType.SET);
        alter.apply(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND);
        until("changed", () -> entry.apply("retention.ms").value().equals("777"));
        same(entry.apply("cleanup.policy").value(), "delete,compact", "appended");
        alter.apply(new ConfigEntry("cleanup.policy", "delete"), AlterConfigOp.OpType.SUBTRACT);
        alter.apply(new ConfigEntry("retention.ms", null), AlterConfigOp.OpType.DELETE);
        until("back", () -> entry.apply("retention.ms").value().equals("604800000"));
        same(entry.apply("cleanup.policy").value(), "compact", "subtracted");
        refused(InvalidConfigurationException.class, () -> alter.apply(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET));
        refused(InvalidConfigurationException.class, () -> alter.apply(new ConfigEntry("no.such", "1"), AlterConfigOp.OpType.SET));
        same(get(admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions()).all()).contains(resource), true, "listed");
    }

    static void clusterBrokersAndLogDirs() throws Exception {
        var cluster = admin.describeCluster();
        var nodes = get(cluster.nodes());
        same(get(cluster.clusterId()).isEmpty() || nodes.isEmpty(), false, "an id and nodes");
        same(get(cluster.controller()).id(), nodes.iterator().next().id(), "controller");
        var broker = new ConfigResource(ConfigResource.Type.BROKER, "" + nodes.iterator().next().id());
        same(get(admin.describeConfigs(List.of(broker)).all()).get(broker).get("log.retention.hours").value(), "168", "a broker config");
        String topic = filled(5);
        var dirs = get(admin.describeLogDirs(List.of(nodes.iterator().next().id())).allDescriptions()).values().iterator().next();
        var replica = dirs.values().stream().map(d -> d.replicaInfos().get(new TopicPartition(topic, 0))).filter(Objects::nonNull).toList();
        same(replica.size() == 1 && replica.get(0).size() > 60 && replica.get(0).offsetLag() == 0, true, "log dirs: " + replica);
        same(get(admin.listPartitionReassignments().reassignments()), Map.of(), "reassignments");
        refused(ElectionNotNeededException.class, () -> {
            var results = get(admin.electLeaders(ElectionType.PREFERRED, Set.of(new TopicPartition(topic, 0))).partitions());
            throw new ExecutionException(results.values().iterator().next().get());
        });
    }

    static void listOffsetsAndDeleteRecords() throws Exception {
        String topic = topic(1);
        var place = new TopicPartition(topic, 0);
        try (var producer = producer()) {
            for (int n = 0; n < 10; n++)
                producer.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L + n * 7 % 10 * 1000, null, "v" + n)).get();
        }
        for (var ask : Map.of(OffsetSpec.earliest(), "0 -1", OffsetSpec.latest(), "10 -1", OffsetSpec.maxTimestamp(), "7 1700000009000",
            OffsetSpec.forTimestamp(1_700_000_006_000L), "1 1700000007000", OffsetSpec.earliestLocal(), "0 -1", OffsetSpec.latestTiered(), "-1 -1").entrySet()) {
            var found = get(admin.listOffsets(Map.of(place, ask.getKey())).partitionResult(place));
            same(found.offset() + " " + found.timestamp(), ask.getValue(), ask.getKey().getClass().getSimpleName());
        }
        same(get(admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(6))).lowWatermarks().get(place)).lowWatermark(), 6L, "low watermark");
        same(readFrom(topic, -1, 4), numbered(6, 10), "what is left");
        same(readFrom(topic, 2, 4), numbered(6, 10), "out of range below");
        refused(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> get(admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(100))).all()));
    }

    // ---------------------------------------------------------------------------------------------------------

    public static void main(String[] arguments) throws Exception {
        String wanted = arguments.length > 0 ? arguments[0] : "";
        admin = Admin.create(settings());
        boolean failed = false;
        Map<String, Check> all = new LinkedHashMap<>();
        all.put("compressions", Suite::compressions);
        all.put("keys-headers-nulls-and-timestamps", Suite::keysHeadersNullsAndTimestamps);
        all.put("keyed-records-keep-their-partition", Suite::keyedRecordsKeepTheirPartition);
        all.put("log-append-time", Suite::logAppendTime);
        all.put("timestamps-out-of-bounds", Suite::timestampsOutOfBounds);
        all.put("from-an-offset-a-time-and-the-end", Suite::fromAnOffsetATimeAndTheEnd);
        all.put("out-of-range", Suite::outOfRange);
        all.put("read-committed", Suite::readCommitted);
        all.put("idempotent-producer", Suite::idempotentProducer);
        all.put("acks", Suite::acksOfAllKinds);
        all.put("large-records", Suite::largeRecords);
        all.put("compacted-topics-need-keys", Suite::compactedTopicsNeedKeys);
        all.put("automatic-and-unknown-topics", Suite::automaticAndUnknownTopics);
        all.put("pause-and-many-partitions", Suite::pauseAndManyPartitions);
        all.put("commit-and-resume", Suite::commitAndResume);
        all.put("group-of-three-range", Suite::groupOfThreeRange);
        all.put("group-of-three-round-robin", Suite::groupOfThreeRoundRobin);
        all.put("group-of-three-sticky", Suite::groupOfThreeSticky);
        all.put("group-of-three-cooperative", Suite::groupOfThreeCooperative);
        all.put("cooperative-rebalance-keeps-most", Suite::cooperativeRebalanceKeepsMost);
        all.put("a-crashed-member-is-replaced", Suite::aCrashedMemberIsReplaced);
        all.put("static-members", Suite::staticMembers);
        all.put("new-group-protocol", Suite::newGroupProtocol);
        all.put("describe-list-alter-and-delete-groups", Suite::describeListAlterAndDeleteGroups);
        all.put("topics-come-grow-and-go", Suite::topicsComeGrowAndGo);
        all.put("configs", Suite::configs);
        all.put("cluster-brokers-and-log-dirs", Suite::clusterBrokersAndLogDirs);
        all.put("list-offsets-and-delete-records", Suite::listOffsetsAndDeleteRecords);
        for (var check : all.entrySet()) {
            if (!check.getKey().contains(wanted)) continue;
            long begun = System.nanoTime();
            String line;
            try {
                check.getValue().run();
                line = "ok " + check.getKey();
            } catch (Skipped reason) {
                line = "skip " + check.getKey() + ": " + reason.getMessage();
            } catch (Throwable problem) {
                failed = true;
                line = "FAIL " + check.getKey() + ": " + (problem.getClass().getSimpleName() + ": " + problem.getMessage()).replace('\n', ' ');
            }
            String time = System.getenv("PEERS_TIMES") == null ? "" : String.format("# %.1fs ", (System.nanoTime() - begun) / 1e9);
            System.out.println(time + line);
        }
        admin.close(Duration.ofSeconds(2));
        System.exit(failed ? 1 : 0);
    }
}
