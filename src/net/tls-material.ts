/** Certificates and keys of a server, as Node takes them. Any thread. */

/** What a server proves itself with, and by what it knows its clients. PEM. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
  readonly passphrase: string | null
  /** null: clients are not asked for certificates. */
  readonly clientCa: string | null
  /** Certificates of clients that their authorities have called back; null: nobody asks. */
  readonly crl: string | null
  /** For clients that look for these names, in lower case; `*.DOMAIN` for one label before it. */
  readonly named: readonly NamedMaterial[]
}

export interface NamedMaterial {
  readonly name: string
  readonly cert: string
  readonly key: string
}

const REVOCATION_LIST = /-----BEGIN X509 CRL-----.*?-----END X509 CRL-----/gs

/** One by one, since Node reads no more than the first of a text. */
export const revocationLists = (pem: string): readonly string[] =>
  pem.match(REVOCATION_LIST) ?? [pem]

/** What Node takes: nothing older than TLS 1.2, and the rest as Node has it. */
export const secureContextOptions = ({ cert, key, passphrase, clientCa, crl }: TlsMaterial) => ({
  ...{ cert, key, minVersion: 'TLSv1.2' as const },
  ...(passphrase === null ? {} : { passphrase }),
  ...(clientCa === null ? {} : { ca: clientCa }),
  ...(crl === null ? {} : { crl: [...revocationLists(crl)] }),
})
