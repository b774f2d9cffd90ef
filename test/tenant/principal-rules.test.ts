import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { subjectOf } from '../../src/tenant/distinguished-name.ts'
import { PrincipalRules } from '../../src/tenant/principal-rules.ts'
import { SUBJECTS } from './subjects.ts'

const SUBJECTS_TRIED = [
  'CN=duke,OU=ServiceUsers,O=Org,C=US',
  'CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US',
  'cn=Duke,ou=Sme,dc=Org,dc=com',
  'CN=test,L',
  '/x',
]
/** What the subject itself stands for in the table. */
const SAME = '='

describe('rules of principals', () => {
  // what Kafka 4.3.1's own SslPrincipalMapper made of them
  it.each([
    ['DEFAULT', [SAME, SAME, SAME, SAME, SAME]],
    [
      'RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/,RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L,RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L,DEFAULT',
      ['duke', 'duke@sme', 'duke', 'test', SAME],
    ],
    ['RULE:^cn=(.*?),ou=(.*?),dc=(.*?),dc=(.*?)$/$1@$2/U', [null, null, 'DUKE@SME', null, null]],
    ['RULE:^CN=([^,ADEFLTU,]+)(,.*|$)/$1/', ['duke', null, null, 'test', null]],
    ['RULE:^CN=([^,DEFAULT,]+)(,.*|$)/$1/,DEFAULT', ['duke', SAME, SAME, 'test', SAME]],
    ['RULE:^CN=(.*?),.*$/$1$2x/', ['duke$2x', 'Duke$2x', null, 'test$2x', null]],
    ['RULE:^CN=(.*?),.*$/a\\/b$1\\$1/', ['a/bduke$1', 'a/bDuke$1', null, 'a/btest$1', null]],
    ['RULE:^CN=(.*?),.*$/$12/U , DEFAULT', ['DUKE2', 'DUKE2', SAME, 'TEST2', SAME]],
    ['RULE:^\\/(.*)$/x/L, DEFAULT', [SAME, SAME, SAME, SAME, 'x']],
    ['RULE:^CN=(.*?)/$0/', [SAME, SAME, null, SAME, null]],
  ])('%s', (text, names) => {
    const rules = new PrincipalRules(text)
    expect(SUBJECTS_TRIED.map((subject) => rules.nameOf(subject))).toEqual(
      names.map((name, index) => (name === SAME ? SUBJECTS_TRIED[index] : name)),
    )
  })

  it('are refused by the one that is none', () => {
    for (const [text, rest] of [
      ['DEFAULT/L', 'DEFAULT/L'],
      ['RULE:CN=(.*?),OU=ServiceUsers.*/$1', 'RULE:CN=(.*?),OU=ServiceUsers.*/$1'],
      ['rule:at', 'rule:at'],
      ['DEFAULT,RULE:^CN=(.*?)$/$1/L/U', 'RULE:^CN=(.*?)$/$1/L/U'],
      ['RULE:^CN/LU', 'RULE:^CN/LU'],
      ['RULE:a/b/Lx', 'RULE:a/b/Lx'],
      ['DEFAULT,,DEFAULT', ',DEFAULT'],
      ['DEFAULT,', 'DEFAULT,'],
      ['', ''],
    ] as const) {
      expect(() => new PrincipalRules(text), text).toThrow(`none of them begins here: '${rest}'`)
    }
    expect(() => new PrincipalRules('DEFAULT,RULE:a(/x/')).toThrow(
      /'a\(' is none: Unterminated group/,
    )
    expect(() => new PrincipalRules(`RULE:${'a'.repeat(8_192)}/b/`)).toThrow('at most 8192')
  })
})

describe('the subject of a certificate', () => {
  it.each(SUBJECTS)('is written as Java writes it: $subject', ({ pem, subject }) => {
    expect(subjectOf(new X509Certificate(pem).raw)).toBe(subject)
  })

  it('is not read out of what is cut off or changed', () => {
    const { raw } = new X509Certificate(SUBJECTS[0]!.pem)
    // up to where the subject ends
    const end = raw.indexOf('billing svc') + 11
    for (let length = 0; length < end; length++) {
      expect(() => subjectOf(raw.subarray(0, length)), `${length}`).toThrow(/certificate/)
    }
    // whatever is changed, it is a name or an error that says so
    let refused = 0
    for (let at = 0; at < raw.length; at++) {
      for (const value of [0, 0x7f, 0x80, 0x84, 0xff]) {
        const changed = Uint8Array.from(raw)
        changed[at] = value
        try {
          expect(subjectOf(changed)).toEqual(expect.any(String))
        } catch (error) {
          expect((error as Error).message).toMatch(/^the certificate /)
          refused++
        }
      }
    }
    expect(refused).toBeGreaterThan(50)
  })
})
