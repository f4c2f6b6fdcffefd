// Runs the classes behind Kafka's scripts one after another in this one JVM, for scripts/ of the suite to compare with.
// java -cp 'libs/*' Scripts.java: a request is a line on standard input, fields separated by 0x1f: the file for the tool's
// input (or "-"), its class, its arguments. The answer, on standard output: a line "CODE OUT ERR", then as many bytes of
// what it said on standard output and on standard error. The classes are not changed: their main methods are called, and

import java.io.*;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.utils.Exit;

public class Scripts {
    /** Ends a tool where its process would end. */
    static final class Exited extends Error {
        Exited() {
            super(null, null, false, false);
        }
    }

    /** The same stream for all tools, since Scala keeps the first one; what comes after a tool's exit is dropped. */
    static final class Said extends OutputStream {
        private ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private boolean open;

        @Override
        public synchronized void write(int b) {
            if (open) bytes.write(b);
        }

        @Override
        public synchronized void write(byte[] b, int from, int length) {
            if (open) bytes.write(b, from, length);
        }

        synchronized void begin() {
            bytes = new ByteArrayOutputStream();
            open = true;
        }

        synchronized byte[] end() {
            open = false;
            return bytes.toByteArray();
        }
    }

    static final Said OUT = new Said(), ERR = new Said();
    static final List<Runnable> HOOKS = new ArrayList<>();
    static Integer code;

    /** The first exit counts: nothing of the tool runs after it but its hooks. */
    static void exit(int wanted) {
        synchronized (Scripts.class) {
            if (code == null) {
                code = wanted;
                var hooks = List.copyOf(HOOKS);
                HOOKS.clear();
                for (var hook : hooks) hook.run();
                OUT.end();
                ERR.end();
            }
        }
        throw new Exited();
    }

    static void run(String[] request) throws Exception {
        code = null;
        HOOKS.clear();
        try (var input = request[0].equals("-") ? InputStream.nullInputStream() : new FileInputStream(request[0])) {
            System.setIn(input);
            OUT.begin();
            ERR.begin();
            Class.forName(request[1]).getMethod("main", String[].class)
                .invoke(null, (Object) Arrays.copyOfRange(request, 2, request.length));
            finish(0);
        } catch (InvocationTargetException problem) {
            if (!(problem.getCause() instanceof Exited)) {
                System.err.print("Exception in thread \"main\" ");
                problem.getCause().printStackTrace();
            }
            finish(1);
        }
    }

    static void finish(int wanted) {
        try {
            exit(wanted);
        } catch (Exited expected) {
            // It has ended.
        }
    }

    public static void main(String[] none) throws Exception {
        var answers = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)));
        var requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((status, message) -> exit(status));
        Exit.setHaltProcedure((status, message) -> exit(status));
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        for (String line; (line = requests.readLine()) != null;) {
            run(line.split("\u001f", -1));
            byte[] out = OUT.end(), err = ERR.end();
            answers.writeBytes(code + " " + out.length + " " + err.length + "\n");
            answers.write(out);
            answers.write(err);
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }
}
