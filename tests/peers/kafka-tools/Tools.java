// Runs Kafka's tools one after another in this one JVM, so that each costs what it does and not a start of a JVM.
// java -cp 'libs/*' Tools.java REQUEST RESPONSE: two named pipes. A request is a line of fields separated by 0x1f: the file
// for the tool's output, the file for its input (or "-"), its class, its arguments. The response is its exit code. The
// tools are not changed: their main methods are called, and Kafka's own hook for their exits and shutdown hooks is used.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.utils.Exit;

public class Tools {
    static final class Exited extends Error {
        final int code;

        Exited(int code) {
            super(null, null, false, false);
            this.code = code;
        }
    }

    static int run(String[] request) throws Exception {
        List<Runnable> hooks = new ArrayList<>();
        Exit.setExitProcedure((code, message) -> {
            throw new Exited(code);
        });
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        PrintStream out = System.out, err = System.err;
        InputStream in = System.in;
        int code = 0;
        try (var output = new PrintStream(new FileOutputStream(request[0]), true, StandardCharsets.UTF_8);
            var input = request[1].equals("-") ? InputStream.nullInputStream() : new FileInputStream(request[1])) {
            System.setOut(output);
            System.setErr(output);
            System.setIn(input);
            try {
                Class.forName(request[2]).getMethod("main", String[].class)
                    .invoke(null, (Object) Arrays.copyOfRange(request, 3, request.length));
            } catch (java.lang.reflect.InvocationTargetException problem) {
                if (problem.getCause() instanceof Exited exited) code = exited.code;
                else {
                    problem.getCause().printStackTrace(output);
                    code = 1;
                }
            }
            for (var hook : hooks) hook.run();
        } finally {
            System.setOut(out);
            System.setErr(err);
            System.setIn(in);
        }
        return code;
    }

    public static void main(String[] pipes) throws Exception {
        for (;;) {
            String line = Files.readString(Path.of(pipes[0])).stripTrailing();
            if (line.isEmpty()) Runtime.getRuntime().halt(0);
            int code = run(line.split("\u001f", -1));
            Files.writeString(Path.of(pipes[1]), code + "\n");
        }
    }
}
