from web.http.problems import Problem


class CannotBePaidOutError(Problem):
    """A currency that the region does not pay out, or an account that cannot exist."""

    status = 422
    code = "cannot_be_paid_out"
    title = "Nothing can be paid out like this"
