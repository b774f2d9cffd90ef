/** The OpenAPI 3.1 description of the admin API, made of the routes that are served. */
import { type ApiRoute, PROBLEMS, type ProblemStatus } from './api-route.ts'
import { SCHEMAS, type SchemaName } from './api-schemas.ts'
import type { JsonSchema } from './json-schema.ts'

/** Those that any route may answer with. */
const EVERYWHERE: readonly ProblemStatus[] = [400, 401, 503]

const schemaRef = (name: SchemaName): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

export function openApiOf(routes: readonly ApiRoute[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    paths[route.path] ??= {}
    paths[route.path]![route.method.toLowerCase()] = operationOf(route)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Griot admin API',
      version,
      description: 'Tenants and their API keys, for the operator of an engine.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ operatorToken: [] }],
    paths,
    components: {
      securitySchemes: {
        operatorToken: {
          ...{ type: 'http', scheme: 'bearer' },
          description: 'the operator token of the engine: operator-token in its data directory',
        },
      },
      schemas: SCHEMAS,
    },
  }
}

function operationOf({ operationId, summary, path, query, body, success, problems }: ApiRoute) {
  const all = [...new Set([...problems, ...EVERYWHERE])].sort((a, b) => a - b)
  return {
    operationId,
    summary,
    parameters: [...pathParameters(path), ...queryParameters(query ?? {})],
    ...(body === undefined
      ? {}
      : { requestBody: { required: !body.isOptional, content: json(schemaRef(body.schema)) } }),
    responses: {
      [success.status]: {
        description: success.description,
        content: json(oneOf(success.schemas.map(schemaRef))),
      },
      ...Object.fromEntries(all.map((status) => [status, problemOf(PROBLEMS[status])])),
      default: problemOf('Anything else'),
    },
  }
}

const json = (schema: object) => ({ 'application/json': { schema } })

const oneOf = (schemas: readonly JsonSchema[]): object =>
  schemas.length === 1 ? schemas[0]! : { oneOf: schemas }

const problemOf = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: schemaRef('Problem') } },
})

const pathParameters = (path: string) =>
  Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string' },
  }))

const queryParameters = (query: Readonly<Record<string, JsonSchema>>) =>
  Object.entries(query).map(([name, { description, ...schema }]) => ({
    ...{ name, in: 'query', required: false, description },
    // a flag may stand alone
    ...(schema.type === 'boolean' ? { allowEmptyValue: true } : {}),
    schema,
  }))
