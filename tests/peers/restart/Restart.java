// The JVM's client over two restarts of the broker: an idempotent producer and a member of a group go on.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

public class Restart {
    static final int COUNT = 600;
    static boolean failed = false;

    static Map<String, Object> settings(Object... more) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", System.getenv("BOOTSTRAP_SERVERS"), "reconnect.backoff.ms", 50,
            "reconnect.backoff.max.ms", 300));
        for (int n = 0; n < more.length; n += 2) all.put((String) more[n], more[n + 1]);
        return all;
    }

    static void bounce(String how) {
        try {
            for (String variable : List.of(how, "BROKER_START")) {
                int code = new ProcessBuilder("sh", "-c", System.getenv(variable)).inheritIO().redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
                if (code != 0) throw new IllegalStateException(variable + " failed");
                if (!variable.equals("BROKER_START")) Thread.sleep(300);
            }
        } catch (Exception problem) {
            throw new CompletionException(problem);
        }
    }

    static void check(String title, boolean holds, Object what) {
        System.out.println(holds ? "ok " + title : "FAIL " + title + ": " + what);
        failed |= !holds;
    }

    static KafkaConsumer<String, String> consumer(String group) {
        return new KafkaConsumer<>(settings("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", false, "session.timeout.ms", 6000,
            "heartbeat.interval.ms", 500, "fetch.max.wait.ms", 100), new StringDeserializer(), new StringDeserializer());
    }

    public static void main(String[] arguments) throws Exception {
        String topic = "restart-java-" + UUID.randomUUID(), group = topic + "-group";
        var place = new TopicPartition(topic, 0);
        var admin = Admin.create(settings());
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        Set<Integer> consumed = ConcurrentHashMap.newKeySet();
        var done = new AtomicBoolean();
        var consuming = new Thread(() -> {
            try (var consumer = consumer(group)) {
                consumer.subscribe(List.of(topic));
                boolean kept = false;
                while (!done.get() || !kept) {
                    var records = consumer.poll(Duration.ofMillis(100));
                    records.forEach(record -> consumed.add(Integer.valueOf(record.value())));
                    kept &= records.isEmpty();
                    if (!kept) {
                        try {
                            consumer.commitSync(Duration.ofSeconds(2));
                            kept = true;
                        } catch (KafkaException away) {
                            // The broker is away, or has forgotten the member: a later commit covers it.
                        }
                    }
                }
            }
        });
        consuming.start();
        var acknowledged = new AtomicInteger();
        var bounces = new ArrayList<CompletableFuture<Void>>();
        try (var producer = new KafkaProducer<>(settings("linger.ms", 0, "delivery.timeout.ms", 60000, "request.timeout.ms", 5000), new StringSerializer(),
            new StringSerializer())) {
            for (int n = 0; n < COUNT; n++) {
                if (n == COUNT / 3) bounces.add(CompletableFuture.runAsync(() -> bounce("BROKER_KILL")));
                if (n == 2 * COUNT / 3) bounces.add(bounces.get(0).thenRun(() -> bounce("BROKER_STOP")));
                producer.send(new ProducerRecord<>(topic, 0, null, "" + n), (placed, problem) -> {
                    if (problem == null) acknowledged.incrementAndGet();
                });
                Thread.sleep(4);
            }
            producer.flush();
        }
        for (var each : bounces) each.join();
        check("all-acknowledged", acknowledged.get() == COUNT, acknowledged);
        for (long deadline = System.nanoTime() + 40_000_000_000L; consumed.size() < COUNT && System.nanoTime() < deadline;) Thread.sleep(50);
        check("the-consumer-goes-on", consumed.size() == COUNT, consumed.size());
        done.set(true);
        consuming.join(30_000);
        var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(place);
        try (var consumer = consumer(group + "-again")) {
            consumer.assign(List.of(place));
            long end = consumer.endOffsets(List.of(place)).get(place);
            check("the-commit-is-kept", committed != null && committed.offset() == end, committed + ", the log ends at " + end);
            List<Integer> log = new ArrayList<>();
            for (long deadline = System.nanoTime() + 20_000_000_000L; log.size() < end && System.nanoTime() < deadline;)
                consumer.poll(Duration.ofMillis(200)).forEach(record -> log.add(Integer.valueOf(record.value())));
            check("the-log-has-each-once-in-order", log.equals(IntStream.range(0, COUNT).boxed().toList()), log.size() + " records");
        }
        System.exit(failed ? 1 : 0);
    }
}
