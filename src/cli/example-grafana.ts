/** `griot example grafana`: the dashboard that goes with `/metrics`, to be imported into Grafana. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** As JSON; the build puts it beside the bundle. */
export function grafanaExample(): string {
  const here = path.dirname(fileURLToPath(import.meta.url))
  return readFileSync(path.join(here, 'grafana-dashboard.json'), 'utf8')
}
