import { setting, type Setting } from './setting.ts'
import { integer } from './values.ts'

const limit = (help: string, ...env: string[]): Setting<number | undefined> =>
  setting({ env, parse: integer(0), help })

/**
 * How much a span may hold where somebody asks for less than all of it; unset there is no limit, since what is recorded
 * is bounded by what a request does: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#span-limits
 */
export const SPAN_LIMIT_SETTINGS = {
  attributeValueLength: limit(
    'characters of an attribute',
    'OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT',
    'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT',
  ),
  attributeCount: limit(
    'attributes of a span',
    'OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT',
    'OTEL_ATTRIBUTE_COUNT_LIMIT',
  ),
  eventCount: limit('events of a span', 'OTEL_SPAN_EVENT_COUNT_LIMIT'),
  linkCount: limit('links of a span', 'OTEL_SPAN_LINK_COUNT_LIMIT'),
  eventAttributeCount: limit(
    'attributes of an event',
    'OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT',
    'OTEL_ATTRIBUTE_COUNT_LIMIT',
  ),
  linkAttributeCount: limit(
    'attributes of a link',
    'OTEL_LINK_ATTRIBUTE_COUNT_LIMIT',
    'OTEL_ATTRIBUTE_COUNT_LIMIT',
  ),
}
