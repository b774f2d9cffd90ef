import static java.util.stream.Collectors.toList;
import static java.util.stream.Collectors.toMap;
import static java.util.stream.Collectors.toSet;

import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What web UIs ask of a cluster, page by page, with the client that they use: kafka-ui (kafbat) and AKHQ by Java's admin client, consumer
 * and producer; of Redpanda Console what it asks beyond these. Argument: bootstrap server.
 *
 * Each call prints a line: page, `ok` and what came, or `handled` and the error where the UI has a branch for just that error (read from
 * its sources), or `SURPRISE` and the error, which its user would see. Ends with 1 where there was a surprise.
 */
public class UiCalls {
  private static final Duration LONG = Duration.ofSeconds(20);
  private static int surprises = 0;
  private static Admin admin;
  private static String bootstrap;

  @SafeVarargs
  private static <T> T call(
      String page, Callable<T> task, Class<? extends Throwable>... handled) {
    try {
      T result = task.call();
      System.out.println(page + "\tok\t" + shorten(String.valueOf(result)));
      return result;
    } catch (Exception thrown) {
      Throwable error = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
      boolean isHandled = Arrays.stream(handled).anyMatch(each -> each.isInstance(error));
      if (!isHandled) surprises++;
      String verdict = isHandled ? "handled" : "SURPRISE";
      System.out.println(
          page + "\t" + verdict + "\t" + error.getClass().getSimpleName() + ": " + error.getMessage());
      return null;
    }
  }

  private static String shorten(String text) {
    String line = text.replace('\n', ' ').replace('\t', ' ');
    return line.length() <= 400 ? line : line.substring(0, 400) + "…";
  }

  private static void check(String what, boolean isTrue) {
    if (!isTrue) surprises++;
    System.out.println("check " + what + "\t" + (isTrue ? "ok" : "SURPRISE") + "\t");
  }

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    Map<String, Object> settings =
        Map.of(
            "bootstrap.servers", bootstrap,
            "request.timeout.ms", 15_000,
            "default.api.timeout.ms", 15_000);
    admin = Admin.create(settings);
    prepare();
    kafkaUiCluster();
    kafkaUiTopics();
    kafkaUiGroups();
    kafkaUiBrokers();
    akhq();
    console();
    kafkaUiDeletes();
    admin.close(LONG);
    System.out.println(surprises + " surprises");
    System.exit(surprises == 0 ? 0 : 1);
  }

  private static Properties clientSettings() {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("key.serializer", StringSerializer.class.getName());
    settings.put("value.serializer", StringSerializer.class.getName());
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    return settings;
  }

  private static KafkaConsumer<String, String> consumer(String group) {
    Properties settings = clientSettings();
    if (group != null) settings.put("group.id", group);
    return new KafkaConsumer<>(settings);
  }

  /** A cluster as a UI finds it: topics with records, a group at work, a group that is empty. */
  private static KafkaConsumer<String, String> active;

  private static void prepare() throws Exception {
    admin
        .createTopics(
            List.of(new NewTopic("orders", 3, (short) 1), new NewTopic("payments", 1, (short) 1)))
        .all()
        .get();
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(clientSettings())) {
      for (int i = 0; i < 300; i++) {
        producer.send(new ProducerRecord<>("orders", i % 3, "key" + i, "value" + i)).get();
      }
    }
    for (String group : List.of("idle", "idle-too")) {
      try (KafkaConsumer<String, String> consumer = consumer(group)) {
        consume(consumer, 300);
        consumer.commitSync();
      }
    }
    active = consumer("active");
    consume(active, 300);
    active.commitSync();
  }

  private static void consume(KafkaConsumer<String, String> consumer, int wanted) {
    consumer.subscribe(List.of("orders"));
    long end = System.currentTimeMillis() + 30_000;
    for (int seen = 0; seen < wanted; ) {
      ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(500));
      seen += records.count();
      if (System.currentTimeMillis() > end) throw new IllegalStateException("saw only " + seen);
    }
  }

  // kafka-ui: connecting, and what it scrapes of a cluster every 30 seconds (ReactiveAdminClient, StatisticsService, ScrapedClusterState)

  private static void kafkaUiCluster() throws Exception {
    Collection<Node> nodes =
        call("kafka-ui: describe the cluster", () -> admin.describeCluster().nodes().get());
    String controller = admin.describeCluster().controller().get().idString();
    Collection<ConfigEntry> configs =
        call(
                "kafka-ui: configs of the controller",
                () -> admin.describeConfigs(List.of(broker(controller))).all().get())
            .get(broker(controller))
            .entries();
    check(
        "kafka-ui may delete topics",
        configs.stream()
            .filter(entry -> entry.name().equals("delete.topic.enable"))
            .allMatch(entry -> !"false".equals(entry.value())));
    var features =
        call("kafka-ui: features", () -> admin.describeFeatures().featureMetadata().get());
    check(
        "kafka-ui knows the version, so that it shows what 2.6 and later can",
        features != null && features.finalizedFeatures().containsKey("metadata.version"));
    call(
        "kafka-ui: are there ACLs",
        () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
    DescribeClusterOptions operations =
        new DescribeClusterOptions().includeAuthorizedOperations(true);
    Set<AclOperation> allowed =
        call(
            "kafka-ui: authorized operations",
            () -> admin.describeCluster(operations).authorizedOperations().get());
    check("operations are known", allowed != null && allowed.contains(AclOperation.ALTER));
    call(
        "kafka-ui: metadata quorum",
        () -> admin.describeMetadataQuorum().quorumInfo().get());
    call(
        "kafka-ui: log directories",
        () -> admin.describeLogDirs(ids(nodes)).allDescriptions().get());
    Set<String> topics =
        call(
            "kafka-ui: list topics",
            () -> admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
    check("the internal topic is listed", topics.contains("__consumer_offsets"));
    Map<String, TopicDescription> described =
        call("kafka-ui: describe topics", () -> admin.describeTopics(topics).allTopicNames().get());
    check("every topic is described", described.keySet().equals(topics));
    check("the internal topic says so", described.get("__consumer_offsets").isInternal());
    call(
        "kafka-ui: configs of topics",
        () ->
            admin
                .describeConfigs(
                    topics.stream().map(UiCalls::topic).collect(toList()),
                    new DescribeConfigsOptions().includeSynonyms(true))
                .all()
                .get());
    for (OffsetSpec spec : List.of(OffsetSpec.latest(), OffsetSpec.earliest())) {
      var offsets =
          call(
              "kafka-ui: offsets, " + spec.getClass().getSimpleName(),
              () -> admin.listOffsets(at(partitionsOf(described), spec)).all().get());
      check("of every partition", offsets.size() == partitionsOf(described).size());
    }
    List<String> groups =
        call("kafka-ui: list groups", () -> groupIds(admin.listConsumerGroups().all().get()));
    check("every group is listed", groups.containsAll(List.of("active", "idle", "idle-too")));
    Map<String, ConsumerGroupDescription> descriptions =
        call(
            "kafka-ui: describe groups", () -> admin.describeConsumerGroups(groups).all().get());
    check("a member is shown", descriptions.get("active").members().size() == 1);
    check(
        "and what it has",
        descriptions.get("active").members().iterator().next().assignment().topicPartitions().size()
            == 3);
    call(
        "kafka-ui: offsets of groups",
        () ->
            admin
                .listConsumerGroupOffsets(
                    groups.stream()
                        .collect(
                            toMap(g -> g, g -> new ListConsumerGroupOffsetsSpec().topicPartitions(null))))
                .all()
                .get());
  }

  private static void kafkaUiTopics() throws Exception {
    NewTopic created =
        new NewTopic("made-by-ui", Optional.of(2), Optional.empty())
            .configs(Map.of("retention.ms", "3600000", "max.message.bytes", "2000000"));
    call("kafka-ui: create a topic", () -> admin.createTopics(List.of(created)).all().get());
    call(
        "kafka-ui: create it again",
        () -> admin.createTopics(List.of(created)).all().get(),
        TopicExistsException.class);
    Map<String, TopicDescription> seen =
        call(
            "kafka-ui: load it at once",
            () -> admin.describeTopics(List.of("made-by-ui")).allTopicNames().get());
    check("with its partitions", seen.get("made-by-ui").partitions().size() == 2);
    call("kafka-ui: its configs with documentation", () -> configOf("made-by-ui", true));
    // SET what is typed, DELETE what was set before and is not there any more
    List<AlterConfigOp> edit =
        List.of(
            new AlterConfigOp(
                new ConfigEntry("max.message.bytes", "2000000"), AlterConfigOp.OpType.DELETE),
            new AlterConfigOp(
                new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(
                new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.SET));
    call(
        "kafka-ui: edit its configs",
        () -> admin.incrementalAlterConfigs(Map.of(topic("made-by-ui"), edit)).all().get());
    Map<String, ConfigEntry> edited = configOf("made-by-ui", false);
    check("SET holds", edited.get("retention.ms").value().equals("7200000"));
    check(
        "DELETE goes back to the default",
        edited.get("max.message.bytes").source() == ConfigEntry.ConfigSource.DEFAULT_CONFIG);
    call(
        "kafka-ui: more partitions",
        () ->
            admin.createPartitions(Map.of("made-by-ui", NewPartitions.increaseTo(5))).all().get());
    check(
        "are there",
        admin
                .describeTopics(List.of("made-by-ui"))
                .allTopicNames()
                .get()
                .get("made-by-ui")
                .partitions()
                .size()
            == 5);
    TopicPartition first = new TopicPartition("orders", 0);
    call(
        "kafka-ui: active producers",
        () ->
            admin.describeProducers(List.of(first, new TopicPartition("orders", 1))).all().get());
    call(
        "kafka-ui: clear messages",
        () ->
            admin
                .deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(40)))
                .all()
                .get());
    check(
        "they are gone",
        admin.listOffsets(Map.of(first, OffsetSpec.earliest())).all().get().get(first).offset()
            == 40);
    call(
        "kafka-ui: change the replication factor (not served yet: its user is told so)",
        () ->
            admin
                .alterPartitionReassignments(
                    Map.of(first, Optional.of(new NewPartitionReassignment(List.of(1, 2)))))
                .all()
                .get());
    messages(first);
  }

  /** The messages page: by offset, by time, the newest first. */
  private static void messages(TopicPartition partition) {
    try (KafkaConsumer<String, String> reader = consumer(null)) {
      call("kafka-ui: partitions for a topic", () -> reader.partitionsFor("orders"));
      call("kafka-ui: beginning offsets", () -> reader.beginningOffsets(List.of(partition)));
      call("kafka-ui: end offsets", () -> reader.endOffsets(List.of(partition)));
      call(
          "kafka-ui: offsets for a time", () -> reader.offsetsForTimes(Map.of(partition, 1_000L)));
      reader.assign(List.of(partition));
      reader.seek(partition, 90);
      Integer read = call("kafka-ui: newest messages", () -> reader.poll(LONG).count());
      check("ten of them", read != null && read == 10);
    }
  }

  private static void kafkaUiGroups() throws Exception {
    TopicPartition first = new TopicPartition("orders", 0);
    for (OffsetSpec spec :
        List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.forTimestamp(1_000))) {
      String page = "kafka-ui: reset a group, " + spec.getClass().getSimpleName();
      call(page + ", look-up", () -> admin.listOffsets(Map.of(first, spec)).all().get());
      long offset = admin.listOffsets(Map.of(first, spec)).all().get().get(first).offset();
      call(
          page,
          () ->
              admin
                  .alterConsumerGroupOffsets("idle", Map.of(first, new OffsetAndMetadata(offset)))
                  .all()
                  .get());
      check("holds", committed("idle", first) == offset);
    }
    call(
        "kafka-ui: delete the offsets of a topic",
        () ->
            admin
                .deleteConsumerGroupOffsets("idle", Set.of(first, new TopicPartition("orders", 1)))
                .all()
                .get());
    call(
        "kafka-ui: those of a group at work",
        () -> admin.deleteConsumerGroupOffsets("active", Set.of(first)).all().get(),
        GroupSubscribedToTopicException.class);
    call(
        "kafka-ui: delete a group",
        () -> admin.deleteConsumerGroups(List.of("idle")).all().get());
    call(
        "kafka-ui: delete a group at work",
        () -> admin.deleteConsumerGroups(List.of("active")).all().get(),
        GroupNotEmptyException.class);
    call(
        "kafka-ui: delete a group that is not there",
        () -> admin.deleteConsumerGroups(List.of("nobody")).all().get(),
        GroupIdNotFoundException.class);
  }

  private static long committed(String group, TopicPartition partition) throws Exception {
    return admin
        .listConsumerGroupOffsets(group)
        .partitionsToOffsetAndMetadata()
        .get()
        .get(partition)
        .offset();
  }

  private static void kafkaUiBrokers() {
    ConfigResource first = broker("1");
    call(
        "kafka-ui: configs of a broker",
        () -> admin.describeConfigs(List.of(first)).all().get());
    AlterConfigOp set =
        new AlterConfigOp(
            new ConfigEntry("log.retention.ms", "86400000"), AlterConfigOp.OpType.SET);
    call(
        "kafka-ui: edit a config of a broker",
        () -> admin.incrementalAlterConfigs(Map.of(first, List.of(set))).all().get());
    AlterConfigOp readOnly =
        new AlterConfigOp(new ConfigEntry("broker.id", "7"), AlterConfigOp.OpType.SET);
    call(
        "kafka-ui: edit one that cannot be",
        () -> admin.incrementalAlterConfigs(Map.of(first, List.of(readOnly))).all().get(),
        InvalidRequestException.class);
    call(
        "kafka-ui: quotas",
        () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());
  }

  // AKHQ: AbstractKafkaWrapper, ConfigRepository, ConsumerGroupRepository. Its AlterConfigs is no call of this client any more.

  private static void akhq() throws Exception {
    var listings =
        call(
            "AKHQ: list topics",
            () -> admin.listTopics(new ListTopicsOptions().listInternal(true)).listings().get());
    List<String> names = listings.stream().map(each -> each.name()).collect(toList());
    Map<String, TopicDescription> topics =
        call("AKHQ: describe topics", () -> admin.describeTopics(names).allTopicNames().get());
    try (KafkaConsumer<String, String> reader = consumer(null)) {
      List<TopicPartition> all = partitionsOf(topics);
      call("AKHQ: beginning offsets", () -> reader.beginningOffsets(all));
      call("AKHQ: end offsets", () -> reader.endOffsets(all));
    }
    call(
        "AKHQ: ACLs of a topic",
        () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
    call(
        "AKHQ: log directories",
        () -> admin.describeLogDirs(List.of(1, 2, 3)).allDescriptions().get());
    for (String group : groupIds(admin.listConsumerGroups().all().get())) {
      call(
          "AKHQ: offsets of group " + group,
          () -> admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get());
    }
    TopicPartition first = new TopicPartition("orders", 0);
    try (KafkaConsumer<String, String> outsider = consumer("idle-too")) {
      call(
          "AKHQ: update the offsets of a group",
          () -> {
            outsider.commitSync(Map.of(first, new OffsetAndMetadata(55)));
            return "committed";
          });
    }
    check("holds", committed("idle-too", first) == 55);
    Set<TopicPartition> payments = Set.of(new TopicPartition("payments", 0));
    call(
        "AKHQ: delete the offsets of a topic that the group never read",
        () -> admin.deleteConsumerGroupOffsets("idle-too", payments).all().get());
    long end =
        admin.listOffsets(Map.of(first, OffsetSpec.latest())).all().get().get(first).offset();
    call(
        "AKHQ: empty a topic",
        () -> admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(end))).all().get());
  }

  // Redpanda Console: the API versions tell it which pages there are; these it always asks for.

  private static void console() {
    call(
        "Console: groups with their states and types",
        () -> admin.listGroups(new ListGroupsOptions()).all().get());
    call(
        "Console: configs of all brokers",
        () ->
            admin
                .describeConfigs(List.of(broker("1"), broker("2"), broker("3")))
                .all()
                .get()
                .size());
    var logDirs =
        call(
            "Console: brokers with their log directories",
            () -> admin.describeLogDirs(List.of(1, 2, 3)).allDescriptions().get());
    check(
        "sizes are told",
        logDirs != null
            && logDirs.values().stream()
                    .flatMap(each -> each.values().stream())
                    .flatMap(each -> each.replicaInfos().entrySet().stream())
                    .filter(each -> each.getKey().topic().equals("orders"))
                    // what the first had was deleted, whole: its room is free at once
                    .filter(each -> each.getValue().size() > 0 || each.getKey().partition() == 0)
                    .map(each -> each.getKey().partition())
                    .distinct()
                    .count()
                == 3);
    call(
        "Console: is there an authorizer",
        () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
  }

  private static void kafkaUiDeletes() {
    active.close();
    call(
        "kafka-ui: delete a topic",
        () -> admin.deleteTopics(List.of("made-by-ui")).all().get());
    call(
        "kafka-ui: make it again at once",
        () -> admin.createTopics(List.of(new NewTopic("made-by-ui", 1, (short) 1))).all().get(),
        TopicExistsException.class);
    call(
        "kafka-ui: a topic that is not there",
        () -> admin.describeTopics(List.of("nowhere")).allTopicNames().get(),
        UnknownTopicOrPartitionException.class);
  }

  private static Map<String, ConfigEntry> configOf(String name, boolean withDocumentation)
      throws Exception {
    DescribeConfigsOptions options =
        new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(withDocumentation);
    return admin
        .describeConfigs(List.of(topic(name)), options)
        .all()
        .get()
        .get(topic(name))
        .entries()
        .stream()
        .collect(toMap(ConfigEntry::name, entry -> entry));
  }

  private static ConfigResource topic(String name) {
    return new ConfigResource(ConfigResource.Type.TOPIC, name);
  }

  private static ConfigResource broker(String id) {
    return new ConfigResource(ConfigResource.Type.BROKER, id);
  }

  private static List<Integer> ids(Collection<Node> nodes) {
    return nodes.stream().map(Node::id).collect(toList());
  }

  private static List<String> groupIds(
      Collection<org.apache.kafka.clients.admin.ConsumerGroupListing> listings) {
    return listings.stream().map(each -> each.groupId()).collect(toList());
  }

  private static List<TopicPartition> partitionsOf(Map<String, TopicDescription> topics) {
    return topics.values().stream()
        .flatMap(
            topic ->
                topic.partitions().stream()
                    .map(each -> new TopicPartition(topic.name(), each.partition())))
        .collect(toList());
  }

  private static Map<TopicPartition, OffsetSpec> at(
      Collection<TopicPartition> partitions, OffsetSpec spec) {
    return partitions.stream().collect(toSet()).stream().collect(toMap(each -> each, each -> spec));
  }
}
