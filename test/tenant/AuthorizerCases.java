import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourcePatternFilter;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.controller.AclControlManager;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.security.authorizer.AclEntry;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.AuthorizationResult;

/**
 * Random sets of ACLs and what Apache Kafka's own StandardAuthorizer says to random questions about them, one thing a
 * line, fields separated by tabs. The same for the same seeds.
 *
 * Usage: java -cp 'LIBS/*' AuthorizerCases.java FIRST_SEED SETS
 *
 * O TYPE BITS                         the operations that a resource type knows
 * C SEED EVERYONE SUPER_USERS         a new authorizer: 1 or 0, principals separated by ;
 * V ANSWER BINDING                    whether a binding may be created: 1 or 0
 * A BINDING, R BINDING                added, removed
 * Q ANSWER PRINCIPAL HOST OPERATION TYPE NAME   1 or 0
 * T ANSWER PRINCIPAL HOST OPERATION TYPE        the same by resource type
 * F MATCHES FILTER                    places, among the set's A lines, of those that match, separated by commas
 *
 * BINDING and FILTER are: type, name, pattern type, principal, host, operation, permission type; \N is null.
 */
public class AuthorizerCases {
    private static final String[] PRINCIPALS = {"User:alice", "User:bob", "User:CN=c,O=x:y", "User:*"};
    private static final String[] HOSTS = {"*", "10.0.0.1", "10.0.0.2", "0:0:0:0:0:0:0:1"};
    /**
     * What StandardAuthorizer 4.3.1 itself gets wrong is left out: names that begin with a character below * (where an
     * ACL's and a resource's begin with the same, it searches without end, or out of bounds if more is the same), and
     * resources that begin with * (to which it does not apply ACLs for all names).
     */
    private static final String[] CHARS = {"a", "b", "a", "b", "a", "b", ".", "*", "0", "\u00e9", "\ud83d\ude00", "\uff5e"};
    private static final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    private final Random random;
    private final StandardAuthorizer authorizer = new StandardAuthorizer();
    private final List<AclBinding> added = new ArrayList<>();
    private final Map<AclBinding, Uuid> present = new HashMap<>();

    public static void main(String[] args) throws Exception {
        for (ResourceType type : ResourceType.values()) {
            if (type == ResourceType.UNKNOWN || type == ResourceType.ANY) continue;
            int bits = 0;
            for (AclOperation operation : AclEntry.supportedOperations(type)) bits |= 1 << operation.code();
            print("O", type.code(), bits);
        }
        long first = Long.parseLong(args[0]);
        for (long seed = first; seed < first + Long.parseLong(args[1]); seed++) new AuthorizerCases(seed).run(seed);
        out.flush();
    }

    private AuthorizerCases(long seed) {
        random = new Random(seed * 7919);
    }

    private void run(long seed) throws Exception {
        boolean everyone = random.nextBoolean();
        String superUsers = random.nextInt(4) == 0 ? "User:root;User:bob" : "User:root";
        authorizer.configure(Map.of("super.users", superUsers, "allow.everyone.if.no.acl.found", everyone, "node.id", "1"));
        authorizer.withPluginMetrics(new PluginMetricsImpl(new Metrics(), Map.of()));
        authorizer.completeInitialLoad();
        print("C", seed, everyone ? 1 : 0, superUsers);
        int count = random.nextInt(8) == 0 ? 200 : random.nextInt(30);
        // an authorizer of few principals and operations meets more of the rules at once
        int principals = 1 + random.nextInt(PRINCIPALS.length);
        int types = random.nextInt(3) == 0 ? 1 : 6;
        for (int i = 0; i < count; i++) add(binding(principals, types));
        for (int i = random.nextInt(4); i > 0; i--) validate();
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 40; i++) ask(principals, types);
            for (int i = 0; i < 6; i++) askByType(principals, types);
            for (int i = 0; i < 4; i++) filter(principals, types);
            // the second round is about what is left
            for (AclBinding binding : new ArrayList<>(added)) {
                if (present.containsKey(binding) && random.nextInt(3) == 0) remove(binding);
            }
        }
    }

    private void add(AclBinding binding) {
        if (present.containsKey(binding)) return;
        Uuid id = new Uuid(1, added.size() + 1);
        authorizer.addAcl(id, StandardAcl.fromAclBinding(binding));
        present.put(binding, id);
        added.add(binding);
        print("A", fields(binding));
    }

    private void remove(AclBinding binding) {
        authorizer.removeAcl(present.remove(binding));
        print("R", fields(binding));
    }

    private void ask(int principals, int types) throws Exception {
        AuthorizableRequestContext context = context(principals);
        AclOperation operation = operation(0);
        ResourceType type = type(types);
        String name = random.nextInt(3) == 0 && !added.isEmpty() ? near() : name();
        Action action = new Action(operation, new ResourcePattern(type, name, PatternType.LITERAL), 1, false, false);
        String answer = told(authorizer.authorize(context, List.of(action)).get(0));
        print("Q", answer, context.principal(), context.clientAddress().getHostAddress(), operation.code(), type.code(), name);
    }

    private void askByType(int principals, int types) throws Exception {
        AuthorizableRequestContext context = context(principals);
        AclOperation operation = operation(0);
        ResourceType type = type(types);
        String answer = told(authorizer.authorizeByResourceType(context, operation, type));
        print("T", answer, context.principal(), context.clientAddress().getHostAddress(), operation.code(), type.code());
    }

    private void filter(int principals, int types) {
        AclBinding like = added.isEmpty() || random.nextInt(3) == 0
            ? binding(principals, types) : added.get(random.nextInt(added.size()));
        String name = random.nextInt(4) == 0 ? null : random.nextInt(3) == 0 ? like.pattern().name() + "a" : like.pattern().name();
        AclBindingFilter filter = new AclBindingFilter(
            new ResourcePatternFilter(random.nextInt(3) == 0 ? ResourceType.ANY : like.pattern().resourceType(), name,
                PatternType.fromCode((byte) (1 + random.nextInt(4)))),
            new AccessControlEntryFilter(random.nextBoolean() ? null : like.entry().principal(),
                random.nextBoolean() ? null : like.entry().host(),
                random.nextBoolean() ? AclOperation.ANY : like.entry().operation(),
                random.nextBoolean() ? AclPermissionType.ANY : like.entry().permissionType()));
        List<AclBinding> matching = new ArrayList<>();
        authorizer.acls(filter).forEach(matching::add);
        String places = matching.stream().map(added::lastIndexOf).sorted().map(String::valueOf).collect(Collectors.joining(","));
        print("F", places, filter.patternFilter().resourceType().code(), orNull(name), filter.patternFilter().patternType().code(),
            orNull(filter.entryFilter().principal()), orNull(filter.entryFilter().host()),
            filter.entryFilter().operation().code(), filter.entryFilter().permissionType().code());
    }

    private void validate() throws Exception {
        String[] principals = {"User:alice", "User:a:b", "alice", ""};
        String[] names = {"a", "*", "kafka-cluster", ""};
        // ANY and MATCH do not get as far: Kafka's own classes refuse to be made with it
        AclBinding binding = new AclBinding(
            new ResourcePattern(ResourceType.fromCode(notAny(8)), pick(names), pick(PatternType.UNKNOWN, PatternType.LITERAL, PatternType.PREFIXED)),
            new AccessControlEntry(pick(principals), "*", AclOperation.fromCode(notAny(16)), AclPermissionType.fromCode(notAny(4))));
        Method method = AclControlManager.class.getDeclaredMethod("validateNewAcl", AclBinding.class);
        method.setAccessible(true);
        String answer = "1";
        try {
            method.invoke(null, binding);
        } catch (InvocationTargetException e) {
            answer = "0";
        }
        print("V", answer, fields(binding));
    }

    private byte notAny(int bound) {
        int code = random.nextInt(bound);
        return (byte) (code == 1 ? bound - 1 : code);
    }

    @SafeVarargs
    private <T> T pick(T... values) {
        return values[random.nextInt(values.length)];
    }

    private AclBinding binding(int principals, int types) {
        ResourceType type = type(types);
        boolean prefixed = random.nextInt(5) < 2;
        String name = random.nextInt(9) == 0 ? "*" : random.nextInt(12) == 0 ? "hardcode".substring(0, 1 + random.nextInt(8)) : name();
        AclPermissionType permission = random.nextInt(10) < 6 ? AclPermissionType.ALLOW : AclPermissionType.DENY;
        return new AclBinding(
            new ResourcePattern(type, name, prefixed ? PatternType.PREFIXED : PatternType.LITERAL),
            new AccessControlEntry(PRINCIPALS[PRINCIPALS.length - 1 - random.nextInt(principals)], HOSTS[random.nextInt(3) == 0 ? random.nextInt(HOSTS.length) : 0],
                operation(6), permission));
    }

    /** A name that an ACL is about, or one that begins with it. */
    private String near() {
        String name = added.get(random.nextInt(added.size())).pattern().name();
        return name.equals("*") || random.nextBoolean() ? name : name + CHARS[random.nextInt(CHARS.length)];
    }

    private String name() {
        StringBuilder name = new StringBuilder(random.nextBoolean() ? "a" : "b");
        for (int length = random.nextInt(4); length > 0; length--) name.append(CHARS[random.nextInt(CHARS.length)]);
        return name.toString();
    }

    private ResourceType type(int types) {
        return ResourceType.fromCode((byte) (2 + random.nextInt(types)));
    }

    /** One in `all` is ALL. */
    private AclOperation operation(int all) {
        if (all > 0 && random.nextInt(all) == 0) return AclOperation.ALL;
        // most are those that imply others, or are implied
        byte[] often = {3, 4, 6, 7, 8, 8, 10, 11};
        return AclOperation.fromCode(random.nextInt(4) > 0 ? often[random.nextInt(often.length)] : (byte) (2 + random.nextInt(14)));
    }

    private AuthorizableRequestContext context(int principals) throws Exception {
        // never User:*, which the authorizer does not take for a user; now and then one without ACLs, or who may do all
        String[] others = {"User:root", "User:nobody"};
        String principal = random.nextInt(8) == 0 ? others[random.nextInt(2)]
            : PRINCIPALS[Math.max(0, PRINCIPALS.length - 2 - random.nextInt(principals))];
        KafkaPrincipal kafkaPrincipal = new KafkaPrincipal("User", principal.substring(5));
        InetAddress address = InetAddress.getByName(HOSTS[1 + random.nextInt(HOSTS.length - 1)]);
        return new AuthorizableRequestContext() {
            @Override public String listenerName() { return "L"; }
            @Override public SecurityProtocol securityProtocol() { return SecurityProtocol.SASL_PLAINTEXT; }
            @Override public KafkaPrincipal principal() { return kafkaPrincipal; }
            @Override public InetAddress clientAddress() { return address; }
            @Override public int requestType() { return 0; }
            @Override public int requestVersion() { return 0; }
            @Override public String clientId() { return ""; }
            @Override public int correlationId() { return 0; }
        };
    }

    private static String told(AuthorizationResult result) {
        return result == AuthorizationResult.ALLOWED ? "1" : "0";
    }

    private static Object orNull(String text) {
        return text == null ? "\\N" : text;
    }

    private static String fields(AclBinding binding) {
        return join(binding.pattern().resourceType().code(), binding.pattern().name(), binding.pattern().patternType().code(),
            binding.entry().principal(), binding.entry().host(), binding.entry().operation().code(), binding.entry().permissionType().code());
    }

    private static String join(Object... values) {
        List<String> texts = new ArrayList<>();
        for (Object value : values) texts.add(String.valueOf(value));
        return String.join("\t", texts);
    }

    private static void print(Object... values) {
        out.print(join(values) + "\n");
    }
}
