/** What requests and answers of the admin API look like, by the names that OpenAPI knows them by. */
import { limitMax, limitOf, TENANT_LIMITS, type TenantLimit } from '../image/tenant-limits.ts'
import { ADMIN_USER } from '../image/tenant-settings.ts'
import type { JsonSchema } from './json-schema.ts'

/** Of a list in one answer. */
export const PAGE_MAX = 1_000
export const PAGE_DEFAULT = 100

type Properties = Readonly<Record<string, JsonSchema>>

const ref = (name: SchemaName): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

/** An object of an answer: all of its fields are there. */
const answer = (properties: Properties): JsonSchema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})

/** An object of a request. */
const request = (properties: Properties, required: readonly string[] = []): JsonSchema => ({
  type: 'object',
  properties,
  ...(required.length === 0 ? {} : { required }),
  additionalProperties: false,
})

const COUNT: JsonSchema = { type: 'integer', minimum: 0 }

const limitSchema = (name: TenantLimit, none: string): JsonSchema => ({
  type: ['integer', 'null'],
  ...{ minimum: 0, maximum: limitMax(name) },
  description: `${TENANT_LIMITS[name]}; null: ${none}`,
})

const limitSchemas = (noneOf: (name: TenantLimit) => string): Properties => {
  const names = Object.keys(TENANT_LIMITS) as TenantLimit[]
  return Object.fromEntries(names.map((name) => [name, limitSchema(name, noneOf(name))]))
}

const defaultOf = (name: TenantLimit): number | null => limitOf(name, {}, undefined)

const LIMITS = limitSchemas(() => 'not limited')
const OWN_LIMITS = limitSchemas(
  (name) => `what its plan says, else ${defaultOf(name) ?? 'no limit'}`,
)
const PLAN_LIMITS = limitSchemas((name) => `${defaultOf(name) ?? 'not limited'}`)

const PLAN_NAME: JsonSchema = {
  type: ['string', 'null'],
  description: 'the plan whose limits hold where it has none of its own; null: none',
}

const SUPER_USERS: JsonSchema = {
  type: 'array',
  items: { type: 'string' },
  description: 'principals that may do everything, as Kafka’s super.users: User:NAME',
}

const ALLOW_EVERYONE: JsonSchema = {
  type: 'boolean',
  description: 'what Kafka’s allow.everyone.if.no.acl.found is',
}

const USER: JsonSchema = {
  type: 'string',
  description: 'the principal is User:USER; without User:',
}

const PATHS: JsonSchema = { type: 'array', items: { type: 'string' } }

const TIME: JsonSchema = { type: 'string', format: 'date-time' }

const next = (what: string): JsonSchema => ({
  type: ['string', 'null'],
  description: `the last ${what} of this page where there are more: \`after\` of the next page`,
})

const SINCE =
  'counted since the engine began; anew where it was idle and its row of the table was wanted'

const counted = (description: string): JsonSchema => ({
  ...COUNT,
  description: `${description}; ${SINCE}`,
})

const USE: Properties = {
  connectionsLetIn: counted('Kafka connections that became its'),
  connectionsRefused: counted('those that would have: over its limit, or a login of it failed'),
  bytesIn: counted('of requests'),
  bytesOut: counted('of replies'),
  requests: counted('of Kafka'),
  errors: counted('in replies, each partition’s or topic’s'),
  inFlightBytes: { ...COUNT, description: 'memory of requests and replies, now' },
  frontMs: counted('of the front’s thread'),
  partitionChanges: counted('partitions made, added or deleted with their topics'),
  brokerMs: counted('of all brokers’ threads'),
}

const TENANT: Properties = {
  name: { type: 'string' },
  tenantId: { type: 'string', description: '16 hex digits; also in the names of directories' },
  clusterId: { type: 'string', description: 'what its Kafka clients see' },
  state: { type: 'string', enum: ['active', 'suspended', 'deleting'] },
  plan: PLAN_NAME,
  limits: { ...answer(LIMITS), description: 'what it may have, by its own limits and its plan' },
  planLimits: {
    ...answer(PLAN_LIMITS),
    type: ['object', 'null'],
    description: 'those of its plan; null: it has none',
  },
  ownLimits: { ...answer(OWN_LIMITS), description: 'those that are its own: they win' },
  used: {
    ...answer({
      ...{ topics: COUNT, partitions: COUNT, connections: COUNT, keys: COUNT, users: COUNT },
      storageBytes: { ...COUNT, description: 'as of some seconds ago at most' },
      groups: {
        type: ['integer', 'null'],
        minimum: 0,
        description: 'likewise; null: not known before the first is asked for since the start',
      },
    }),
    description: 'what counts against the limits',
  },
  use: { ...answer(USE), description: 'since the engine began, or later: see each' },
  superUsers: SUPER_USERS,
  allowEveryoneIfNoAcl: ALLOW_EVERYONE,
}

const KEY: Properties = {
  key: { type: 'string', description: 'the username' },
  user: USER,
  createdAt: TIME,
}

const LISTENER: Properties = {
  brokers: {
    type: 'array',
    items: { type: 'string' },
    description: 'HOST:PORT of each broker, from broker 1, as clients are told',
  },
  tls: { type: 'boolean', description: 'it speaks TLS' },
  sasl: { type: 'boolean', description: 'clients may log in' },
  anonymous: { type: 'boolean', description: 'clients need not log in' },
  clientCertificate: {
    type: 'string',
    enum: ['none', 'requested', 'required'],
    description: 'whether clients show a certificate',
  },
  isOwn: {
    type: 'boolean',
    description: 'a port or a name of this tenant alone; elsewhere a login tells whose a client is',
  },
}

const PATCHED: Properties = {
  plan: PLAN_NAME,
  limits: { ...request(OWN_LIMITS), description: 'its own: those that are named change' },
  superUsers: SUPER_USERS,
  allowEveryoneIfNoAcl: ALLOW_EVERYONE,
}

const PLAN: Properties = {
  name: { type: 'string' },
  tenants: { ...COUNT, description: 'that have it' },
  limits: { ...answer(PLAN_LIMITS), description: 'of each tenant that has it' },
}

const NAMES = [
  ...['Tenant', 'TenantVerification', 'TenantPage', 'NewTenant', 'TenantChange'],
  ...['Plan', 'PlanPage', 'NewPlan', 'PlanChange'],
  'Remains',
  ...['Key', 'KeyPage', 'NewKey', 'MadeKey', 'Listener', 'ListenerList', 'Problem', 'OpenApi'],
] as const
export type SchemaName = (typeof NAMES)[number]

export const SCHEMAS: Readonly<Record<SchemaName, JsonSchema>> = {
  Tenant: answer(TENANT),
  TenantVerification: answer({
    ...TENANT,
    left: {
      type: ['object', 'null'],
      description: 'of one that is being deleted, what is left of it in the metadata; else null',
      properties: { topics: COUNT, partitions: COUNT, keys: COUNT, users: COUNT, acls: COUNT },
      required: ['topics', 'partitions', 'keys', 'users', 'acls'],
      additionalProperties: false,
    },
  }),
  TenantPage: answer({ tenants: { type: 'array', items: ref('Tenant') }, next: next('name') }),
  NewTenant: request(
    {
      name: { type: 'string', description: '1 to 63 lower-case letters, digits and hyphens' },
      ...PATCHED,
    },
    ['name'],
  ),
  TenantChange: request({
    state: { type: 'string', enum: ['active', 'suspended'] },
    ...PATCHED,
  }),
  Plan: answer(PLAN),
  PlanPage: answer({ plans: { type: 'array', items: ref('Plan') }, next: next('name') }),
  NewPlan: request(
    {
      name: { type: 'string', description: '1 to 63 lower-case letters, digits and hyphens' },
      limits: request(PLAN_LIMITS),
    },
    ['name'],
  ),
  PlanChange: request({
    limits: { ...request(PLAN_LIMITS), description: 'those that are named change' },
  }),
  Remains: answer({
    tenantId: { type: 'string' },
    tenant: {
      type: ['string', 'null'],
      description: 'its name; null: it was deleted, or never was',
    },
    isNothing: { type: 'boolean', description: 'it is not there, and no byte of it is left' },
    directories: {
      ...PATHS,
      description: 'those of its own, below the data directory; 100 at most',
    },
    files: { ...PATHS, description: 'others that name it: the metadata log and its snapshots' },
    looked: { ...COUNT, description: 'files that were looked at: all but those of other tenants' },
  }),
  Key: answer(KEY),
  KeyPage: answer({ keys: { type: 'array', items: ref('Key') }, next: next('key') }),
  NewKey: request({ user: { ...USER, default: ADMIN_USER } }),
  MadeKey: answer({
    ...KEY,
    secret: { type: 'string', description: 'the password; told here and never again' },
  }),
  Listener: answer(LISTENER),
  ListenerList: answer({
    listeners: {
      type: 'array',
      items: ref('Listener'),
      description: 'the one that its clients do best to use comes first',
    },
  }),
  Problem: {
    type: 'object',
    description: 'RFC 9457',
    properties: {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string', description: 'what was wrong' },
      next: { type: 'string', description: 'what to do next' },
    },
    required: ['type', 'title', 'status', 'detail'],
    additionalProperties: false,
  },
  OpenApi: { type: 'object', description: 'OpenAPI 3.1' },
}
