-- One script for every operation. The environment names OPERATION, TOKEN and ROWS: incidents have the ids 1 to ROWS.
local operation, rows = os.getenv("OPERATION"), tonumber(os.getenv("ROWS"))
local statuses = { "open", "in_progress", "resolved", "closed" }
math.randomseed(os.time())
wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")
local function path() return "/api/v1/incidents/" .. math.random(rows) .. "/" end
if operation == "create" or operation == "change" or operation == "alert" then wrk.headers["Content-Type"] = "application/json" end
if operation == "create" then
  wrk.method = "POST"
  wrk.body = '{"description":"Самокат №4711 не в сети: точка 205 сообщает о потере связи с контроллером, требуется выезд техника","source":"operator"}'
elseif operation == "get" then
  request = function() return wrk.format("GET", path()) end
elseif operation == "alert" then
  request = function()
    local body = string.format('{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":' ..
      '"HostOutOfDiskSpace","instance":"db1:9100"},"annotations":{"summary":"Диск полон"},"startsAt":' ..
      '"2026-01-15T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"%016x"}]}', math.random(2^53))
    return wrk.format("POST", "/api/v1/intake/bench/", nil, body)
  end
elseif operation == "change" then
  request = function()
    return wrk.format("PATCH", path(), nil, '{"status":"' .. statuses[math.random(#statuses)] .. '"}')
  end
end
-- Parsed by measure.py. wrk counts statuses above 399 as errors, and times in microseconds.
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
