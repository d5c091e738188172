-- What wrk sends: a target drawn at random for each request, always in the same order for the same seed, or one after
-- the other. Arguments after `--`: a file of mids, one a line; the seed, or how many to leave out at first; the URL with
-- {mid} in the place of the target; `random` or `in turn`.

local mids, before, after = {}, "", ""
local in_turn, last = false, 0

function init(args)
    for line in io.lines(args[1]) do
        mids[#mids + 1] = line
    end
    math.randomseed(tonumber(args[2]))
    in_turn = args[4] == "in turn"
    last = in_turn and tonumber(args[2]) or 0
    local request = wrk.format("GET", args[3])
    local from, to = request:find("{mid}", 1, true)
    before, after = request:sub(1, from - 1), request:sub(to + 1)
end

function request()
    if not in_turn then
        return before .. mids[math.random(#mids)] .. after
    end
    last = last % #mids + 1
    return before .. mids[last] .. after
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\nresult {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"status_errors":%d,"socket_errors":%d,"timeouts":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
