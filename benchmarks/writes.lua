-- What wrk sends: viewers in turn, each follows an account and, when its turn comes again, unfollows the same one. So
-- every request changes something, and none is refused.
-- Arguments after `--`: a file of mids, a file of tokens, one a line; the seed; the one account to follow, or "", and how
-- many such requests there were in earlier runs, if that is known.

local threads = {}
local mids, tokens, seed, only, number = {}, {}, 0, "", 0
refused = 0

function setup(thread)
    threads[#threads + 1] = thread
end

function init(args)
    for line in io.lines(args[1]) do
        mids[#mids + 1] = line
    end
    for line in io.lines(args[2]) do
        tokens[#tokens + 1] = line
    end
    seed, only = tonumber(args[3]), args[4]
    if only ~= "" then
        -- An earlier run has left it followed by some. Where it ended is where this one goes on; if that is not known,
        -- the first turn is one of unfollows, which is never refused.
        number = tonumber(args[5]) or #tokens
    end
end

function request()
    local viewer, turn = number % #tokens, math.floor(number / #tokens)
    number = number + 1
    local fid = only
    if fid == "" then
        fid = mids[(viewer * 7919 + (math.floor(turn / 2) + seed * 1000) * 104729) % #mids + 1]
    end
    local headers = {
        ["Authorization"] = "Bearer " .. tokens[viewer + 1],
        ["Content-Type"] = "application/x-www-form-urlencoded",
    }
    return wrk.format("POST", "/x/relation/modify", headers, "act=" .. (turn % 2 + 1) .. "&fid=" .. fid)
end

function response(status, headers, body)
    if not body:find('"code":0', 1, true) then
        refused = refused + 1
    end
end

function done(summary, latency)
    local errors, refusals = summary.errors, 0
    for _, thread in ipairs(threads) do
        refusals = refusals + thread:get("refused")
    end
    io.write(string.format(
        '\nresult {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"refused":%d,"failed":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), refusals,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
