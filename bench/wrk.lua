-- Sends the request targets listed in the file named by TARGETS, one after another, with METHOD and a body of BODY_BYTES.
local targets = {}
for line in io.lines(os.getenv("TARGETS")) do targets[#targets + 1] = line end
local method = os.getenv("METHOD") or "GET"
local size = tonumber(os.getenv("BODY_BYTES") or "0")
local body = nil
if size > 0 then
  local block = {}
  math.randomseed(1)
  for i = 1, 4096 do block[i] = string.char(math.random(0, 255)) end
  block = table.concat(block)
  body = string.rep(block, math.ceil(size / 4096)):sub(1, size)
end
local headers = {}
if body then headers["Content-Length"] = tostring(size) end

local next_target = 0
local requests = {}
function init()
  -- Formatting is done once: the load generator shares two cores with what it measures. Large bodies are formatted as they go.
  if size <= 65536 then
    for i, target in ipairs(targets) do requests[i] = wrk.format(method, target, headers, body) end
  end
end

function request()
  next_target = next_target % #targets + 1
  return requests[next_target] or wrk.format(method, targets[next_target], headers, body)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"bytes":%d,"p50":%d,"p99":%d,"bad":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
