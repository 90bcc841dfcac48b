# The server's JSON log as one line a request; its own start-up messages only when something is wrong.
function field(name,    found) {
    if (!match($0, "\"" name "\":(\"[^\"]*\"|[0-9.e-]+)")) return ""
    found = substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
    gsub(/"/, "", found)
    return found
}
{
    level = toupper(field("level"))
    stamp = strftime("%Y-%m-%d %H:%M:%S", int(field("ts")))
    if ($0 ~ /"msg":"handled request"/) {
        request = sprintf("%s %s %s %.1f ms", field("method"), field("uri"), field("status"), field("duration") * 1000)
        why = field("why")
        printf "%s %-5s %s%s\n", stamp, level, request, (why == "" ? "" : "  " why)
    } else if (level == "ERROR") {
        printf "%s %-5s %s\n", stamp, level, field("msg") " " field("error")
    } else if ($0 !~ /^\{/) {
        print
    }
    fflush()
}
