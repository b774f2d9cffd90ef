import java.io.ByteArrayOutputStream;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Collection;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.GZIPOutputStream;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

/**
 * Writes test vectors with Apache Kafka's own message classes: one gzipped file of JSON per API, with every version
 * and both directions, or per message that is no API, with every version. See README.md beside this file.
 *
 * Usage: java -cp kafka-clients.jar:kafka-group-coordinator.jar Vectors.java OUTPUT_DIRECTORY (KEY | MESSAGE)...
 */
public class Vectors {
    private static final String[] KINDS = {"default", "random-1", "random-2", "random-3", "low", "high", "null"};

    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[0]);
        for (int i = 1; i < args.length; i++) {
            if (Character.isDigit(args[i].charAt(0))) writeApi(directory, Short.parseShort(args[i]));
            else writeMessage(directory, args[i]);
        }
    }

    private static class SmallGzip extends GZIPOutputStream {
        SmallGzip(ByteArrayOutputStream out) throws Exception {
            super(out);
            def.setLevel(9);
        }
    }

    private static void writeApi(Path directory, short key) throws Exception {
        ApiMessageType api = ApiMessageType.fromApiKey(key);
        short lowest = api.lowestSupportedVersion();
        short highest = api.highestSupportedVersion(false);
        StringBuilder json = new StringBuilder();
        json.append("{\"key\":").append(key).append(",\"lowest\":").append(lowest)
            .append(",\"highest\":").append(highest).append(",\"cases\":[\n");
        String separator = "";
        for (boolean request : new boolean[] {true, false}) {
            Schema[] schemas = request ? api.requestSchemas() : api.responseSchemas();
            Set<String> known = new TreeSet<>();
            for (short version = lowest; version <= highest; version++) addNames(schemas[version], known);
            for (short version = lowest; version <= highest; version++) {
                for (int kind = 0; kind < KINDS.length; kind++) {
                    Maker maker = new Maker(KINDS[kind], 1_000_003L * key + 101L * version + kind + (request ? 7 : 0));
                    json.append(separator);
                    json.append("{\"d\":\"").append(request ? "request" : "response").append("\",\"v\":").append(version);
                    writeCase(json, request ? api.newRequest() : api.newResponse(), maker, schemas[version], Vectors::encode, version, known);
                    separator = ",\n";
                }
            }
        }
        writeFile(directory.resolve(String.format("vectors-%02d.json.gz", key)), json, lowest, highest);
    }

    private static final String RECORDS = "org.apache.kafka.coordinator.group.generated.";

    /** The classes of a message by the version before its bytes: of a key in __consumer_offsets that is the record's type. */
    private static TreeMap<Short, Class<?>> classesOf(String name) throws Exception {
        TreeMap<Short, Class<?>> classes = new TreeMap<>();
        switch (name) {
            case "OffsetCommitKey" -> {
                classes.put((short) 0, Class.forName(RECORDS + "LegacyOffsetCommitKey"));
                classes.put((short) 1, Class.forName(RECORDS + name));
            }
            case "GroupMetadataKey" -> classes.put((short) 2, Class.forName(RECORDS + name));
            default -> {
                String prefix = name.startsWith("ConsumerProtocol") ? "org.apache.kafka.common.message." : RECORDS;
                Class<?> all = Class.forName(prefix + name);
                Message message = (Message) all.getDeclaredConstructor().newInstance();
                for (short version = message.lowestSupportedVersion(); version <= message.highestSupportedVersion(); version++) {
                    classes.put(version, all);
                }
            }
        }
        return classes;
    }

    private static void writeMessage(Path directory, String name) throws Exception {
        TreeMap<Short, Class<?>> classes = classesOf(name);
        boolean isKey = name.endsWith("Key");
        StringBuilder json = new StringBuilder();
        json.append("{\"name\":\"").append(name).append("\",\"lowest\":").append(classes.firstKey())
            .append(",\"highest\":").append(classes.lastKey()).append(",\"cases\":[\n");
        Set<String> known = new TreeSet<>();
        for (Class<?> each : classes.values()) {
            for (Schema schema : (Schema[]) each.getField("SCHEMAS").get(null)) if (schema != null) addNames(schema, known);
        }
        String separator = "";
        for (var each : classes.entrySet()) {
            // Kafka counts the versions of a key from 0; what it writes before the key is the record's type.
            short version = isKey ? 0 : each.getKey();
            Schema schema = ((Schema[]) each.getValue().getField("SCHEMAS").get(null))[version];
            for (int kind = 0; kind < KINDS.length; kind++) {
                Maker maker = new Maker(KINDS[kind], 1_000_003L * name.hashCode() + 101L * each.getKey() + kind);
                Message message = (Message) each.getValue().getDeclaredConstructor().newInstance();
                json.append(separator).append("{\"v\":").append(each.getKey());
                writeCase(json, message, maker, schema, isKey ? Vectors::encodeKey : Vectors::encodeVersioned, version, known);
                separator = ",\n";
            }
        }
        writeFile(directory.resolve("message-" + name + ".json.gz"), json, classes.firstKey(), classes.lastKey());
    }

    private static void writeFile(Path file, StringBuilder json, short lowest, short highest) throws Exception {
        json.append("\n]}\n");
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (Writer writer = new OutputStreamWriter(new SmallGzip(bytes), StandardCharsets.UTF_8)) {
            writer.write(json.toString());
        }
        Files.write(file, bytes.toByteArray());
        System.out.println(file + ": versions " + lowest + "-" + highest + ", " + bytes.size() + " bytes");
    }

    private interface Encoder {
        byte[] encode(Message message, short version);
    }

    private static void writeCase(StringBuilder json, Message message, Maker maker, Schema schema, Encoder encoder,
                                  short version, Set<String> known) throws Exception {
        maker.fill(message, schema);
        byte[] body = encode(message, version);
        // What a reader of this version sees: absent fields have their defaults.
        Message seen = message.getClass().getDeclaredConstructor().newInstance();
        seen.read(new ByteBufferAccessor(ByteBuffer.wrap(body)), version);
        json.append(",\"kind\":\"").append(maker.kind).append("\",\"value\":");
        dump(json, seen, known);
        json.append(",\"bytes\":\"").append(HexFormat.of().formatHex(encoder.encode(message, version))).append('"');
        if (isFlexible(schema)) {
            addUnknownTags(seen, maker.random);
            json.append(",\"unknown\":\"").append(HexFormat.of().formatHex(encoder.encode(seen, version))).append('"');
        }
        json.append('}');
    }

    private static byte[] encode(Message message, short version) {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    private static byte[] encodeVersioned(Message message, short version) {
        return MessageUtil.toVersionPrefixedBytes(version, message);
    }

    private static byte[] encodeKey(Message message, short version) {
        return MessageUtil.toCoordinatorTypePrefixedBytes((ApiMessage) message);
    }

    private static boolean isFlexible(Schema schema) {
        for (BoundField field : schema.fields()) if (field.def.type instanceof TaggedFields) return true;
        return false;
    }

    /** Lower-case and without separators: how a schema's names and a class's names are matched. */
    private static String flat(String name) {
        return name.replace("_", "").toLowerCase();
    }

    private static void addNames(Schema schema, Set<String> names) {
        schema.walk(new Schema.Visitor() {
            @Override
            public void visit(Schema inner) {
                for (BoundField field : inner.fields()) {
                    if (field.def.type instanceof TaggedFields tagged) {
                        for (var each : tagged.fields().values()) {
                            names.add(flat(each.name));
                            addTypeNames(each.type, names);
                        }
                    } else names.add(flat(field.def.name));
                }
            }
        });
    }

    private static void addTypeNames(Type type, Set<String> names) {
        if (type instanceof Schema schema) addNames(schema, names);
        else if (type.isArray()) addTypeNames(type.arrayElementType().get(), names);
    }

    /** The message's fields as JSON, in the order of their declaration: ids as hex, bytes as base64. */
    private static void dump(StringBuilder json, Object message, Set<String> known) throws Exception {
        json.append('{');
        String separator = "";
        for (Field field : message.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || !known.contains(flat(field.getName()))) continue;
            field.setAccessible(true);
            json.append(separator).append('"').append(field.getName()).append("\":");
            dumpValue(json, field.get(message), known);
            separator = ",";
        }
        json.append('}');
    }

    private static void dumpValue(StringBuilder json, Object value, Set<String> known) throws Exception {
        if (value == null || value instanceof Number || value instanceof Boolean) json.append(value);
        else if (value instanceof String text) dumpString(json, text);
        else if (value instanceof Uuid id) {
            json.append(String.format("\"%016x%016x\"", id.getMostSignificantBits(), id.getLeastSignificantBits()));
        } else if (value instanceof byte[] bytes) dumpString(json, Base64.getEncoder().encodeToString(bytes));
        else if (value instanceof ByteBuffer buffer) dumpString(json, base64(buffer));
        else if (value instanceof Collection<?> list) {
            json.append('[');
            String separator = "";
            for (Object each : list) {
                json.append(separator);
                dumpValue(json, each, known);
                separator = ",";
            }
            json.append(']');
        } else if (value instanceof Message) dump(json, value, known);
        else dumpString(json, base64((ByteBuffer) value.getClass().getMethod("buffer").invoke(value)));
    }

    private static String base64(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static void dumpString(StringBuilder json, String text) {
        json.append('"');
        for (char c : text.toCharArray()) {
            if (c < 32 || c > 126 || c == '"' || c == '\\') json.append(String.format("\\u%04x", (int) c));
            else json.append(c);
        }
        json.append('"');
    }

    /** Adds tagged fields that nobody knows to the message and to every struct within. */
    private static void addUnknownTags(Object message, Random random) throws Exception {
        List<RawTaggedField> unknown = ((Message) message).unknownTaggedFields();
        int[] tags = {77, 300, 70_000, Integer.MAX_VALUE - 1};
        for (int i = random.nextInt(3); i < tags.length; i += 1 + random.nextInt(2)) {
            byte[] bytes = new byte[new int[] {0, 3, 20, 200}[random.nextInt(4)]];
            random.nextBytes(bytes);
            unknown.add(new RawTaggedField(tags[i], bytes));
        }
        for (Field field : message.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) continue;
            field.setAccessible(true);
            Object value = field.get(message);
            if (field.getName().startsWith("_")) continue;
            if (value instanceof Message) addUnknownTagsUnlessDefault(value, random);
            if (value instanceof Collection<?> list) {
                for (Object each : list) if (each instanceof Message) addUnknownTags(each, random);
            }
        }
    }

    /** A tagged struct at its default is not written, and must not be because of an unknown field inside. */
    private static void addUnknownTagsUnlessDefault(Object value, Random random) throws Exception {
        if (!value.equals(value.getClass().getDeclaredConstructor().newInstance())) addUnknownTags(value, random);
    }

    /** Makes values of one kind. */
    private static class Maker {
        final String kind;
        final Random random;

        Maker(String kind, long seed) {
            this.kind = kind;
            this.random = new Random(seed);
        }

        void fill(Object message, Schema schema) throws Exception {
            if (kind.equals("default")) {
                nullProof(message, schema);
                return;
            }
            for (BoundField field : schema.fields()) {
                if (!(field.def.type instanceof TaggedFields tagged)) set(message, field.def.name, field.def.type);
                else {
                    for (var each : new TreeMap<>(tagged.fields()).values()) {
                        boolean leaveOut = kind.startsWith("random") && random.nextInt(3) == 0;
                        if (!leaveOut) set(message, each.name, each.type);
                    }
                }
            }
        }

        /** A new message has nulls where a version may not: gives those fields an empty value. */
        private void nullProof(Object message, Schema schema) throws Exception {
            for (BoundField field : schema.fields()) {
                if (field.def.type instanceof TaggedFields || isNullable(field.def.type)) continue;
                Field declared = declaredField(message, field.def.name);
                if (declared.get(message) == null) set(message, field.def.name, field.def.type);
            }
        }

        private static Field declaredField(Object message, String name) throws Exception {
            for (Field field : message.getClass().getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers()) && flat(field.getName()).equals(flat(name))) {
                    field.setAccessible(true);
                    return field;
                }
            }
            throw new IllegalStateException("no field " + name + " in " + message.getClass());
        }

        private void set(Object message, String name, Type type) throws Exception {
            Field field = declaredField(message, name);
            Class<?> elementClass = null;
            if (type.isArray()) elementClass = elementClass(field);
            field.set(message, make(type, field.getType(), elementClass));
        }

        private static Class<?> elementClass(Field field) {
            java.lang.reflect.Type generic = field.getGenericType() instanceof ParameterizedType direct
                ? direct : field.getType().getGenericSuperclass();
            java.lang.reflect.Type argument = ((ParameterizedType) generic).getActualTypeArguments()[0];
            return argument instanceof Class<?> known ? known : Object.class;
        }

        private static boolean isNullable(Type type) {
            return type.isNullable();
        }

        @SuppressWarnings("unchecked")
        private Object make(Type type, Class<?> target, Class<?> elementClass) throws Exception {
            if (isNullable(type) && (kind.equals("null") || (kind.startsWith("random") && random.nextInt(4) == 0))) return null;
            if (type.isArray()) {
                Collection<Object> list = Collection.class.isAssignableFrom(target) && !target.isInterface()
                    ? (Collection<Object>) target.getDeclaredConstructor().newInstance() : new ArrayList<>();
                for (int i = arrayLength(); i > 0; i--) list.add(make(type.arrayElementType().get(), elementClass, null));
                return list;
            }
            if (Message.class.isAssignableFrom(target)) {
                Object message = target.getDeclaredConstructor().newInstance();
                fill(message, schemaOf(type));
                return message;
            }
            String name = type.toString();
            if (name.contains("BOOLEAN")) return kind.equals("high") || (!kind.equals("low") && random.nextBoolean());
            if (name.contains("UINT16")) return (int) integer(0, 65_535);
            if (name.contains("INT8")) return (byte) integer(Byte.MIN_VALUE, Byte.MAX_VALUE);
            if (name.contains("INT16")) return (short) integer(Short.MIN_VALUE, Short.MAX_VALUE);
            if (name.contains("UINT32")) return integer(0, 4_294_967_295L);
            if (name.contains("INT32")) return (int) integer(Integer.MIN_VALUE, Integer.MAX_VALUE);
            if (name.contains("INT64")) return int64();
            if (name.contains("FLOAT64")) return kind.equals("low") ? Double.MIN_VALUE : kind.equals("high") ? Double.MAX_VALUE : random.nextGaussian();
            if (name.contains("UUID")) return kind.equals("low") ? Uuid.ZERO_UUID : kind.equals("high") ? new Uuid(-1L, -1L) : new Uuid(random.nextLong(), random.nextLong());
            if (name.contains("STRING")) return string();
            if (name.contains("RECORDS")) return records();
            if (name.contains("BYTES")) return target == byte[].class ? bytes() : ByteBuffer.wrap(bytes());
            throw new IllegalStateException("type " + name + " for " + target);
        }

        private static Schema schemaOf(Type type) throws Exception {
            if (type instanceof Schema schema) return schema;
            Field field = type.getClass().getDeclaredField("schema");
            field.setAccessible(true);
            return (Schema) field.get(type);
        }

        private int arrayLength() {
            return switch (kind) {
                case "low" -> 0;
                case "high" -> 2;
                case "null" -> 1;
                default -> random.nextInt(10) == 0 ? 0 : 1 + random.nextInt(3);
            };
        }

        private long integer(long low, long high) {
            return switch (kind) {
                case "low" -> low;
                case "high" -> high;
                default -> random.nextBoolean() ? random.nextInt(100) : low + Math.floorMod(random.nextLong(), high - low + 1);
            };
        }

        private static final long EXACT = 1L << 53;

        /** Only values that a double holds, but for Long.MAX_VALUE. */
        private long int64() {
            return switch (kind) {
                case "low" -> random.nextBoolean() ? Long.MIN_VALUE : -EXACT;
                case "high" -> random.nextBoolean() ? Long.MAX_VALUE : EXACT;
                default -> random.nextBoolean() ? random.nextInt(1000) - 1 : random.nextLong() % EXACT;
            };
        }

        private static final String[] PIECES = {"a", "orders", ".", "-", "_", "\u00e4", "\u20ac", "\ud83d\ude00", "Z9", " "};
        private boolean longStringUsed = false;

        private String string() {
            if (kind.equals("low")) return "";
            if (kind.equals("high")) {
                if (longStringUsed) return "x".repeat(127 + random.nextInt(3));
                longStringUsed = true;
                return "\u00e9" + "x".repeat(Short.MAX_VALUE - 2);
            }
            StringBuilder out = new StringBuilder();
            for (int i = random.nextInt(6); i >= 0; i--) out.append(PIECES[random.nextInt(PIECES.length)]);
            if (random.nextInt(8) == 0) out.append("y".repeat(random.nextInt(300)));
            return out.toString();
        }

        private byte[] bytes() {
            byte[] bytes = new byte[kind.equals("low") ? 0 : kind.equals("high") ? 3000 : random.nextInt(40)];
            if (kind.equals("high")) java.util.Arrays.fill(bytes, (byte) random.nextInt());
            else random.nextBytes(bytes);
            return bytes;
        }

        private Object records() throws Exception {
            // The package of the class moved between Kafka's versions.
            Class<?> records;
            try {
                records = Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
            } catch (ClassNotFoundException e) {
                records = Class.forName("org.apache.kafka.common.record.MemoryRecords");
            }
            return records.getMethod("readableRecords", ByteBuffer.class).invoke(null, ByteBuffer.wrap(bytes()));
        }
    }
}
