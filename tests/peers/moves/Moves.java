// The JVM's client while leaders move: sends and reads until its standard input ends, then says whether all has come.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.*;

public class Moves {
    static final String TOPIC = System.getenv("TOPIC");
    static final int PARTITIONS = Integer.parseInt(System.getenv("PARTITIONS"));

    static Map<String, Object> settings(Object... more) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", System.getenv("BOOTSTRAP_SERVERS"), "reconnect.backoff.ms", 50,
            "reconnect.backoff.max.ms", 300, "request.timeout.ms", 3000));
        for (int n = 0; n < more.length; n += 2) all.put((String) more[n], more[n + 1]);
        return all;
    }

    public static void main(String[] arguments) throws Exception {
        var ended = new AtomicBoolean();
        var waiting = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException problem) {
                // It has ended.
            }
            ended.set(true);
        });
        waiting.setDaemon(true);
        waiting.start();
        Set<String> consumed = ConcurrentHashMap.newKeySet();
        var done = new AtomicBoolean();
        var consuming = new Thread(() -> {
            try (var consumer = new KafkaConsumer<>(settings("group.id", System.getenv("GROUP"), "auto.offset.reset", "earliest",
                "auto.commit.interval.ms", 200, "session.timeout.ms", 6000, "heartbeat.interval.ms", 500, "fetch.max.wait.ms", 100,
                "default.api.timeout.ms", 5000), new StringDeserializer(), new StringDeserializer())) {
                consumer.subscribe(List.of(TOPIC));
                while (!done.get())
                    consumer.poll(Duration.ofMillis(100)).forEach(record -> consumed.add(record.partition() + ":" + record.value()));
            }
        });
        consuming.start();
        var acknowledged = new AtomicInteger();
        var failed = new ConcurrentLinkedQueue<Exception>();
        int sent = 0;
        try (var producer = new KafkaProducer<>(settings("acks", "all", "enable.idempotence", true, "linger.ms", 0, "delivery.timeout.ms", 60000),
            new StringSerializer(), new StringSerializer())) {
            for (; !ended.get(); sent++) {
                producer.send(new ProducerRecord<>(TOPIC, sent % PARTITIONS, null, "" + sent / PARTITIONS), (placed, problem) -> {
                    if (problem == null) acknowledged.incrementAndGet();
                    else failed.add(problem);
                });
                Thread.sleep(2);
            }
            producer.flush();
        }
        for (long deadline = System.nanoTime() + 40_000_000_000L; consumed.size() < sent && System.nanoTime() < deadline;) Thread.sleep(20);
        done.set(true);
        consuming.join(20_000);
        System.out.println("sent " + sent + ", acknowledged " + acknowledged + ", read " + consumed.size() + ", failed " + failed);
        System.exit(acknowledged.get() == sent && consumed.size() == sent ? 0 : 1);
    }
}
