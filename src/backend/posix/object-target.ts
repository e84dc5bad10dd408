import type { NewObject, ObjectRef } from '../backend.ts'
import { keyPath, type KeyPath } from './paths.ts'
import type { Task } from './task.ts'
import type { Target } from './tmp-dir.ts'

/** Where an object's file goes; with `If-None-Match: *` only if nothing is there. */
export function objectTarget(
  task: Task<ObjectRef>,
  { precondition }: Pick<NewObject, 'precondition'>,
  { parent, name }: KeyPath = keyPath(task.subject.key),
): Target {
  return {
    directory: parent,
    name,
    makeParents: true,
    replace: precondition.ifNoneMatch === undefined,
  }
}

export function objectFacts({ subject }: Task<ObjectRef>): Record<string, string> {
  return { 'posix.bucket': subject.bucket, 'posix.object': subject.key }
}
