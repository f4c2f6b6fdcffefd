// Java's own client as the other end of an exchange of records; README.md says what it reads and writes. Takes write TOPIC,
// read TOPIC N, or member TOPIC GROUP STRATEGY.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Exchange {
    static final String BOOTSTRAP = System.getenv("BOOTSTRAP_SERVERS");
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "write" -> write(arguments[1]);
            case "read" -> read(arguments[1], Integer.parseInt(arguments[2]));
            default -> member(arguments[1], arguments[2], arguments[3]);
        }
        System.exit(0);
    }

    static byte[] unpacked(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    static String packed(byte[] data) {
        return data == null ? null : Base64.getEncoder().encodeToString(data);
    }

    static void write(String topic) throws Exception {
        Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
        List<Future<?>> sent = new ArrayList<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode record = JSON.readTree(line);
            KafkaProducer<byte[], byte[]> producer = producers.computeIfAbsent(record.get("codec").asText(), codec ->
                new KafkaProducer<>(Map.of("bootstrap.servers", BOOTSTRAP, "compression.type", codec, "linger.ms", 20),
                    new ByteArraySerializer(), new ByteArraySerializer()));
            List<Header> headers = new ArrayList<>();
            record.get("headers").forEach(header ->
                headers.add(new RecordHeader(header.get(0).asText(), unpacked(header.get(1)))));
            sent.add(producer.send(new ProducerRecord<>(topic, null, record.get("timestamp").asLong(),
                unpacked(record.get("key")), unpacked(record.get("value")), headers)));
        }
        for (Future<?> one : sent) {
            one.get();
        }
        producers.values().forEach(KafkaProducer::close);
    }

    static void show(ConsumerRecord<byte[], byte[]> record) throws Exception {
        ObjectNode line = JSON.createObjectNode();
        line.put("partition", record.partition()).put("offset", record.offset()).put("timestamp", record.timestamp());
        line.put("key", packed(record.key())).put("value", packed(record.value()));
        ArrayNode headers = line.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(packed(header.value()));
        }
        System.out.println(JSON.writeValueAsString(line));
        System.out.flush();
    }

    static KafkaConsumer<byte[], byte[]> consumer(String topic, String group, String strategy) {
        String assignor = Map.of(
            "range", "org.apache.kafka.clients.consumer.RangeAssignor",
            "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor").get(strategy);
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", BOOTSTRAP);
        config.put("group.id", group);
        config.put("auto.offset.reset", "earliest");
        config.put("session.timeout.ms", 6000);
        config.put("heartbeat.interval.ms", 200);
        config.put("auto.commit.interval.ms", 100);
        config.put("partition.assignment.strategy", assignor);
        KafkaConsumer<byte[], byte[]> made =
            new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        made.subscribe(List.of(topic));
        return made;
    }

    static void read(String topic, int count) throws Exception {
        try (KafkaConsumer<byte[], byte[]> reader = consumer(topic, "exchange-" + ProcessHandle.current().pid(), "range")) {
            while (count > 0) {
                for (ConsumerRecord<byte[], byte[]> record : reader.poll(Duration.ofMillis(200))) {
                    show(record);
                    count--;
                }
            }
        }
    }

    static void member(String topic, String group, String strategy) throws Exception {
        AtomicBoolean ended = new AtomicBoolean();
        Thread watch = new Thread(() -> {
            try {
                System.in.readAllBytes();
            } catch (java.io.IOException gone) {
                // The end of what started this is the end of it too.
            }
            ended.set(true);
        });
        watch.setDaemon(true);
        watch.start();
        try (KafkaConsumer<byte[], byte[]> reader = consumer(topic, group, strategy)) {
            while (!ended.get()) {
                for (ConsumerRecord<byte[], byte[]> record : reader.poll(Duration.ofMillis(50))) {
                    show(record);
                }
            }
        }
    }
}
