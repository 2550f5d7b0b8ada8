import type { TestProject } from 'vitest/node';
import { compile } from './support/build.ts';

/** Compiles the project once for all test files; tests that need the build fail if it does not compile, others run. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide('build', await compile());
}
