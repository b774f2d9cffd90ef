/** Answers against what the engine's own OpenAPI description says of them. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'vitest'

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, object>> }>
  >
}

export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

export interface SeenAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: unknown
}

const pointer = (...keys: readonly string[]): string =>
  keys.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

export class OpenApiChecks {
  readonly #api: OpenApi
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })

  constructor(api: OpenApi) {
    this.#api = api
    this.#ajv.addFormat('date-time', (text) => new Date(text).toISOString() === text)
    this.#ajv.addSchema(api, 'api')
  }

  /** Fails where `path` has no such operation, or it may not answer so. */
  check(method: string, path: string, { status, contentType, body }: SeenAnswer): void {
    const template = Object.keys(this.#api.paths).find((one) => matches(one, path))
    const operation = this.#api.paths[template ?? '']?.[method.toLowerCase()]
    expect(operation, `${method} ${path} is described`).toBeDefined()
    const which = String(status) in operation!.responses ? String(status) : 'default'
    const content = operation!.responses[which]?.content ?? {}
    const said = `${method} ${path} answers ${status} with ${contentType}`
    expect(Object.keys(content), said).toContain(contentType)
    const at = ['paths', template!, method.toLowerCase(), 'responses', which, 'content']
    const $ref = `api#${pointer(...at, contentType, 'schema')}`
    const validate = this.#ajv.compile({ $ref })
    validate(body)
    expect(validate.errors ?? [], said).toEqual([])
  }
}

function matches(template: string, path: string): boolean {
  const [segments, given] = [template.split('/'), path.split('/')]
  if (segments.length !== given.length) return false
  return segments.every((segment, at) => segment.startsWith('{') || segment === given[at])
}
