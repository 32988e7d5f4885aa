/** Every scenario of the comparison. */
import { builderScenarios } from './builder-scenarios.ts';
import { fileScenarios } from './file-scenarios.ts';
import { launcherScenarios } from './launcher-scenarios.ts';
import { machineScenarios } from './machine-scenarios.ts';
import { oddScenarios } from './odd-scenarios.ts';
import { platformScenarios } from './platform-scenarios.ts';
import { proxyScenarios } from './proxy-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { surroundingsScenarios } from './surroundings-scenarios.ts';
import { yamlScenarios } from './yaml-scenarios.ts';

export const scenarios: readonly Scenario[] = [
  ...builderScenarios,
  ...fileScenarios,
  ...yamlScenarios,
  ...platformScenarios,
  ...proxyScenarios,
  ...launcherScenarios,
  ...surroundingsScenarios,
  ...oddScenarios,
  ...machineScenarios,
];
