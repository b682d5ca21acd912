{#
    Standard error of a ratio of two sums over independent units, R = sum(y) / sum(x), by the delta method (Deng, Knoblich and Lu 2018,
    https://arxiv.org/abs/1803.06336): what is left of y - R x. With x = 1 for every unit it is the standard error of a mean.

    n                      units
    sum_y, sum_x, ...      sums over the units, and of their squares and products

    Null where it is not defined: fewer than two units, or nothing in the denominator. What rounding leaves of equal units is taken for
    nothing.
#}
{% macro ratio_error(n, sum_y, sum_x, sum_yy, sum_xy, sum_xx) %}
    {%- set rate = sum_y ~ ' / nullif(' ~ sum_x ~ ', 0)' -%}
    {%- set residual = '(' ~ sum_yy ~ ' - 2 * (' ~ rate ~ ') * ' ~ sum_xy ~ ' + power(' ~ rate ~ ', 2) * ' ~ sum_xx ~ ')' %}
    case
        when {{ n }} > 1 and {{ sum_x }} > 0
            then sqrt(
                case when {{ residual }} > 1e-12 * {{ sum_yy }} then {{ residual }} else 0 end * {{ n }} / nullif({{ n }} - 1, 0)
            ) / nullif({{ sum_x }}, 0)
    end
{% endmacro %}

{# The same for a mean of n units. #}
{% macro mean_error(n, sum_y, sum_yy) %}{{ ratio_error(n, sum_y, n, sum_yy, sum_y, n) }}{% endmacro %}
