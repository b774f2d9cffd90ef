/** All scenarios, in the order in which they run. */
import { adminScenarios } from './scenarios/admin.ts'
import { alterationScenarios } from './scenarios/alterations.ts'
import { apiVersionsScenarios } from './scenarios/api-versions.ts'
import { configScenarios } from './scenarios/configs.ts'
import { deniedScenarios } from './scenarios/denied.ts'
import { fetchScenarios } from './scenarios/fetch.ts'
import { groupOffsetScenarios } from './scenarios/group-offsets.ts'
import { groupScenarios } from './scenarios/groups.ts'
import { metadataScenarios } from './scenarios/metadata.ts'
import { mutationScenarios } from './scenarios/mutations.ts'
import { offsetScenarios } from './scenarios/offsets.ts'
import { produceScenarios } from './scenarios/produce.ts'
import { userScenarios } from './scenarios/users.ts'
import type { Scenario } from './side.ts'

export const scenarios: readonly Scenario[] = [
  ...apiVersionsScenarios,
  ...metadataScenarios,
  ...adminScenarios,
  ...configScenarios,
  ...produceScenarios,
  ...fetchScenarios,
  ...offsetScenarios,
  ...alterationScenarios,
  ...groupScenarios,
  ...groupOffsetScenarios,
  ...userScenarios,
  ...deniedScenarios,
  ...mutationScenarios,
]
