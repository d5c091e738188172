-- What wrk sends: a target drawn at random for each request, always in the same order for the same seed.
-- Arguments after `--`: a file of mids, one a line; the seed; the URL with {mid} in the place of the target.

local mids, before, after = {}, "", ""

function init(args)
    for line in io.lines(args[1]) do
        mids[#mids + 1] = line
    end
    math.randomseed(tonumber(args[2]))
    local request = wrk.format("GET", args[3])
    local from, to = request:find("{mid}", 1, true)
    before, after = request:sub(1, from - 1), request:sub(to + 1)
end

function request()
    return before .. mids[math.random(#mids)] .. after
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\nresult {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"status_errors":%d,"socket_errors":%d,"timeouts":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
