/** Gradle: none of the package registries has it. */
import { BuildpackFailure } from '../../kit/index.ts';

/** What to do instead. */
export function gradleRefusal(): BuildpackFailure {
  return new BuildpackFailure('this is an app for Gradle, which no package registry has', {
    next: 'Build it before (./gradlew bootJar, installDist or war) and push the result.',
  });
}
