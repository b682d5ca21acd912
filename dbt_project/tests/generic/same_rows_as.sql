{# Fails when a model does not hold the rows of another: as many of them, counting as many people. Stands for a unique key where the
   key is that other model's. #}
{% test same_rows_as(model, other) %}
select 1 as difference
where
    (select count(*) from {{ model }}) <> (select count(*) from {{ other }})
    or abs((select coalesce(sum(n), 0) from {{ model }}) - (select coalesce(sum(n), 0) from {{ other }})) > 1e-6
{% endtest %}
